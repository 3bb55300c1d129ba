"""Fills the data disk of the real program, drains it, and looks whether anything was lost.

    SAMBAND_BINARY=... SAMBAND_STUBS=... python full.py [--seed N]

The store lies on ext4 of 64 MiB on a loop device; the low-water mark of a gateway in test mode is 16 MiB, its reserve 1 MiB. A file beside the
store leaves little room; the rest is filled with messages:

1. All roles send until STORAGE_FULL. From there on every new message gets that answer, with a time to wait; retries get their receipts.
2. Receiving, acknowledging, withdrawing and looking up go on, and turns give back what was acknowledged.
3. The process is killed on the full disk and started again; then the last byte is filled up, so that only the reserve is left, and mail drains.
4. It is killed and started once more without a free byte. All that is left drains.
5. Space again: what was refused is sent, and accepted.

At the end the history of the clients is held against log and deliveries as `kill.py` does, and `samband audit fsck` must find the folder sound.
Exit code 77: this machine has no loop devices, or this is not root.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "python"), str(TESTS / "kill")]

import grpc  # noqa: E402
import largest  # noqa: E402
from client import BINARY, Gateway, Refusal, common_pb2, report, result  # noqa: E402
from kill import Client, History, check_delivery, check_log, prepare, settle  # noqa: E402

MIB = 1 << 20
SIZE = 64 * MIB
LOW_WATER = 16 * MIB
# Room for messages above the mark.
ROOM = 6 * MIB
PATIENCE = 60.0


def run(*command, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], check=check, capture_output=True, text=True)


class SmallDisk:
    """ext4 on a loop device, over a store's folder."""

    def __init__(self, image: Path, root: Path):
        self.root, self.filler = root, root / "lost+found" / "filler"
        with image.open("wb") as file:
            file.truncate(SIZE)
        # No blocks kept for root: what is free is what the store may use.
        run("mkfs.ext4", "-q", "-F", "-m", "0", image)
        root.mkdir()
        run("mount", "-o", "loop", image, root)

    def free(self) -> int:
        at = os.statvfs(self.root)
        return at.f_bavail * at.f_frsize

    def fill_up_to(self, free: int) -> None:
        """Takes all but so many bytes, at once also those that the store gives back meanwhile."""
        with self.filler.open("ab") as file:
            while self.free() > free:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, max(4096, self.free() - free))
                except OSError:
                    break

    def used(self) -> int:
        return sum(path.stat().st_blocks * 512 for path in self.root.rglob("*") if path.is_file() and path != self.filler)

    def unmount(self) -> None:
        run("umount", "-l", self.root, check=False)


class Test:
    def __init__(self, work: Path, seed: int):
        self.gateway, self.history, self.rng = Gateway(work / "gateway"), History(), random.Random(seed)
        prepare(self.gateway)
        self.disk = SmallDisk(work / "image", self.gateway.folder / "data")
        # Sent and refused for want of space.
        self.refused = []

    def client(self, name: str) -> Client:
        return Client(self.gateway, name, self.history, self.rng.randrange(2**32), threading.Event())

    def begin(self) -> None:
        self.gateway.start()
        self.gateway.wait_until_serving()
        self.police, self.unit, self.lab = (self.client(name) for name in ("politi-oslo", "ru-oslo", "lab-ous"))

    def break_off(self) -> None:
        self.gateway.kill()
        for client in (self.police, self.unit, self.lab):
            client.party.channel.close()

    def lose(self, what: str) -> None:
        self.history.lose(what)

    def try_to_send(self, client: Client, sent) -> bool:
        """Whether there was room. Any other refusal is a loss."""
        try:
            client.party.send(sent.request)
        except Refusal as refusal:
            if refusal.reason != "STORAGE_FULL":
                self.lose(f"{client.who} {sent.kind}: {refusal}")
            elif refusal.code != grpc.StatusCode.RESOURCE_EXHAUSTED or not refusal.retry:
                self.lose(f"{client.who} {sent.kind}: no time to wait: {refusal}")
            self.refused.append((client.who, sent))
            return False
        # A second time: the same receipt, also from a full disk.
        client.deliver(sent)
        client.deliver(sent)
        return True

    def notice(self, is_large: bool = True):
        token = self.police.token()
        content = self.police.party.notice("notice-both")
        content["control"].update(invoice_reference=token, laboratories=[])
        if is_large:
            content = largest.notice(content)
        return self.police.write_down("notice", self.police.party.request(content), token)

    def result(self, requisition: str):
        token = self.lab.token()
        content = largest.result(result(requisition, token))
        return self.lab.write_down("result", self.lab.party.request(content), f"{token} {content['urine_validity']['ph']}")

    def eventually(self, what: str, test) -> bool:
        end = time.monotonic() + PATIENCE
        while not test():
            if time.monotonic() > end:
                self.lose(f"not within {PATIENCE:.0f} s: {what}; {self.disk.free()} bytes are free")
                return False
            if self.gateway.process.poll() is not None:
                self.lose(f"the gateway ended with {self.gateway.process.returncode} before {what}: {self.gateway.tail()}")
                return False
            time.sleep(0.1)
        return True

    def drain(self, client: Client, count: int) -> int:
        items = client.party.receive(max_items=count)
        for item in items:
            client.got(item)
        if items:
            client.party.acknowledge(*items)
            for item in items:
                self.history.items[client.who, item.item_number].acknowledged = True
        return len(items)

    def fill_with_messages(self) -> int:
        self.disk.fill_up_to(LOW_WATER + ROOM)
        first = self.notice(is_large=False)
        self.try_to_send(self.police, first)
        requisition, sent = first.accepted.requisition_id, 1
        while not self.refused and sent < 20_000:
            for client, message in ((self.police, self.notice()), (self.lab, self.result(requisition))):
                sent += self.try_to_send(client, message)
        if not self.refused:
            self.lose(f"{sent} messages, and the disk did not become full")
        # A report as well; its case must have been taken by the unit first.
        self.drain(self.unit, 1)
        dates = report(first.accepted.case_ref, absent=-1)
        written = self.unit.write_down("report", self.unit.party.request(dates), f"{dates['case_ref']} {dates['missed_dates'][0]}")
        if self.try_to_send(self.unit, written):
            self.lose("a report was accepted on a full disk")
        return sent

    def all_else_goes_on(self) -> None:
        notices = [sent for sent in self.history.sent if sent.kind == "notice" and sent.accepted is not None]
        withdrawn = notices[-1]
        request = self.police.party.request(withdrawal=common_pb2.NOTICE_WITHDRAWAL_REASON_SENT_IN_ERROR, replaces=withdrawn.request.message_id)
        self.police.deliver(self.police.write_down("withdrawal", request, self.police.token(), withdrawn))
        self.police.party.own("GetStatus", message_ids=[withdrawn.request.message_id])
        old = {path.name for path in (self.disk.root / "journal").iterdir()}
        before = self.disk.used()
        drained = self.drain(self.unit, 100) + self.drain(self.police, 100)
        print(f"full: {drained} items drained, one withdrawn, from a disk with {self.disk.free() / MIB:.1f} MiB free", flush=True)
        # A turn: the journals that held the content are gone.
        self.eventually("a turn on the full disk", lambda: not old & {path.name for path in (self.disk.root / "journal").iterdir()})
        print(f"full: a turn made {before / MIB:.1f} MiB of store {self.disk.used() / MIB:.1f} MiB", flush=True)

    def reserve(self) -> int:
        path = self.disk.root / "reserve"
        return path.stat().st_size if path.exists() else 0

    def to_the_last_byte(self) -> None:
        self.disk.fill_up_to(0)
        self.eventually("the reserve is given up", lambda: self.reserve() == 0)
        drained = self.drain(self.unit, 50) + self.drain(self.police, 50)
        if self.try_to_send(self.police, self.notice()):
            self.lose("a notice was accepted without a free byte")
        print(f"full: {drained} items drained from the reserve alone", flush=True)

    def space_again(self) -> None:
        self.disk.filler.unlink()
        probe = self.notice(is_large=False)
        self.refused.append(("politi-oslo", probe))
        self.eventually("new messages are taken", lambda: self.is_taken(probe))
        self.eventually("the reserve is taken back", lambda: self.reserve() == MIB)
        # What was refused is sent now: settle() sends all that is unanswered.
        settle(self.gateway, self.history, self.rng)
        unanswered = [sent for _, sent in self.refused if sent.accepted is None]
        if unanswered:
            self.lose(f"{len(unanswered)} messages that were refused on the full disk are not accepted afterwards")

    def is_taken(self, probe) -> bool:
        try:
            self.police.party.send(probe.request)
            return True
        except Refusal as refusal:
            if refusal.reason != "STORAGE_FULL":
                raise
            return False

    def run(self) -> None:
        self.begin()
        sent = self.fill_with_messages()
        print(f"full: STORAGE_FULL after {sent} messages, {self.disk.free() / MIB:.1f} MiB free", flush=True)
        self.all_else_goes_on()
        self.break_off()
        self.begin()
        self.to_the_last_byte()
        self.break_off()
        self.begin()
        drained = 0
        while count := self.drain(self.unit, 50) + self.drain(self.police, 50):
            drained += count
        print(f"full: {drained} items drained after a kill and a start without a free byte", flush=True)
        self.space_again()
        check_delivery(self.history)
        entries = check_log(self.gateway, self.history)
        if self.gateway.stop() != 0:
            self.lose("the gateway does not stop cleanly")
        fsck = run(BINARY, "audit", "fsck", self.disk.root, "--storage-key", self.gateway.folder / "storage-key", check=False)
        if fsck.returncode != 0:
            self.lose(f"fsck: {fsck.stdout} {fsck.stderr}")
        counts = self.history.counts
        print(f"full: {counts['receipts']} receipts, {counts['delivered']} deliveries, {entries} entries", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fills the gateway's disk, drains it, and looks for losses.")
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        print("full: SKIPPED: root and loop devices are needed", flush=True)
        return 77
    seed = int.from_bytes(os.urandom(4), "big") if args.seed is None else args.seed
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="samband-full-") as work:
        test = Test(Path(work), seed)
        try:
            test.run()
        except Exception as error:
            test.lose(f"{type(error).__name__}: {error}")
            print(test.gateway.tail(), flush=True)
        finally:
            if test.gateway.process.poll() is None:
                test.gateway.kill()
            test.disk.unmount()
    for loss in test.history.losses[:40]:
        print(f"full: LOSS: {loss}", flush=True)
    print(f"full: losses {len(test.history.losses)}, {time.monotonic() - begun:.0f} s, seed {seed}", flush=True)
    return 1 if test.history.losses else 0


if __name__ == "__main__":
    sys.exit(main())
