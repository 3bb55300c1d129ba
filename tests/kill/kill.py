"""Kills the real program under load, again and again, and holds it to the history that its clients wrote down themselves.

    SAMBAND_BINARY=... SAMBAND_STUBS=... python kill.py [--rounds 4] [--points] [--seconds 3] [--seed N] [--dir D]

Clients of all roles send, correct, withdraw, receive and acknowledge; after a random time the process gets SIGKILL and is started again on
the same folder. With --points it is also killed once at each commit point that `points.py` names. Journals and turns are so small that files
are closed, and the store is turned over, within seconds. What a client wrote down before it sent is sent again until it is answered. At the end:

- every receipt verifies, and is the same bytes when its message is sent once more;
- every accepted message was delivered with exactly its content, but for what was replaced or withdrawn before it was handed out;
- what was acknowledged never came back;
- no message is in the log twice, and none that nobody sent;
- the holds in force are those that the log tells of, none that an auditor was told is placed or lifted is otherwise;
- every head that anyone ever saw is a head of the one log that stands there now.

With --dir the folder stays, with receipts for other verifiers in D/receipts.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import evidence  # noqa: E402
import grpc  # noqa: E402
import largest  # noqa: E402
import points  # noqa: E402
from client import Gateway, Party, Patient, Refusal, audit_pb2, common_pb2, day, report, result  # noqa: E402

# Answers that leave open what became of a call; anything else decides it.
OPEN_CODES = {grpc.StatusCode[name] for name in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL")}
OPEN_REASONS = {None, "UNAVAILABLE", "DEADLINE_EXCEEDED", "OVERLOADED", "RATE_LIMITED"}
# What another act of the same history may have made true meanwhile.
OVERTAKEN = {"REPLACES_SETTLED", "NOTICE_WITHDRAWN", "UNIT_CHANGED", "REQUISITION_WITHDRAWN", "NOTICE_NOT_ACKNOWLEDGED"}
# Kinds of acceptances in the log.
ACCEPTANCES = range(10, 16)


def is_open(refusal: Refusal) -> bool:
    return refusal.code in OPEN_CODES and refusal.reason in OPEN_REASONS


class Lost(Exception):
    """A promise that was broken."""


@dataclass
class Sent:
    """A message, written down before it was sent."""

    party: str
    request: object
    # Which of the three, or a withdrawal.
    kind: str
    # What names the delivered content: nobody else sends it.
    token: str
    old: "Sent | None" = None
    accepted: object = None
    # The withdrawn or replaced one may never be delivered.
    may_stay_unseen: bool = False
    refused: str | None = None


@dataclass
class Item:
    """A delivered item."""

    token: str | None
    content: bytes
    acknowledged: bool = False


@dataclass
class History:
    """What the clients know."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    sent: list[Sent] = field(default_factory=list)
    # By recipient and item number.
    items: dict[tuple[str, int], Item] = field(default_factory=dict)
    heads: dict[int, bytes] = field(default_factory=dict)
    # By case: held, lifted, or None where no answer came.
    holds: dict[str, bool | None] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)

    def lose(self, what: str) -> None:
        with self.lock:
            self.losses.append(what)

    def see_head(self, head: evidence.Head) -> None:
        with self.lock:
            if self.heads.setdefault(head.size, head.root) != head.root:
                self.losses.append(f"two roots of size {head.size}: the log is forked")

    def pick(self, rng: random.Random, party: str, kind: str, test) -> Sent | None:
        with self.lock:
            found = [sent for sent in self.sent if sent.party == party and sent.kind == kind and sent.accepted is not None and test(sent)]
        return rng.choice(found) if found else None

    def unanswered(self, party: str) -> Sent | None:
        with self.lock:
            return next((sent for sent in self.sent if sent.party == party and sent.accepted is None and sent.refused is None), None)


class Client(threading.Thread):
    """One participant at work until it is told to stop, or its gateway is gone."""

    def __init__(self, gateway: Gateway, name: str, history: History, seed: int, stop: threading.Event):
        super().__init__(name=name, daemon=True)
        self.party, self.history, self.rng, self.stop = Patient(gateway, name), history, random.Random(seed), stop
        self.who = name
        self.vkey = gateway.vkey()

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.step()
        except Refusal as refusal:
            if not is_open(refusal):
                self.history.lose(f"{self.who}: {refusal}")
        except Exception as error:  # a client that falls out of the test must not make it pass
            self.history.lose(f"{self.who}: {type(error).__name__}: {error}")
        finally:
            self.party.channel.close()

    def step(self) -> None:
        unanswered = self.history.unanswered(self.who)
        if unanswered:
            return self.deliver(unanswered)
        if self.rng.random() < 0.15 and (again := self.history.pick(self.rng, self.who, self.rng.choice(["notice", "report", "result"]), lambda _: True)):
            return self.deliver(again)
        act = {"politi-": self.police, "ru-": self.unit, "lab-": self.laboratory, "tilsyn": self.auditor}
        return next(step for prefix, step in act.items() if self.who.startswith(prefix))()

    def write_down(self, kind: str, request, token: str, old: Sent | None = None) -> Sent:
        sent = Sent(self.who, request, kind, token, old)
        with self.history.lock:
            self.history.sent.append(sent)
            if old:
                old.may_stay_unseen = True
        return sent

    def deliver(self, sent: Sent) -> None:
        try:
            accepted = self.party.send(sent.request)
        except Refusal as refusal:
            if is_open(refusal):
                raise
            if sent.accepted is not None:
                self.history.lose(f"{sent.request.message_id}: accepted before, now {refusal}")
            elif refusal.reason in OVERTAKEN:
                sent.refused = refusal.reason
                self.history.counts["refused"] += 1
            else:
                sent.refused = str(refusal)
                self.history.lose(f"{self.who} {sent.kind}: {refusal}")
            return
        if sent.accepted is not None:
            self.history.counts["retries"] += 1
            if accepted.receipt != sent.accepted.receipt or accepted != sent.accepted:
                self.history.lose(f"{sent.request.message_id}: another receipt on retry")
            return
        receipt = evidence.receipt(accepted.receipt, self.vkey)
        if receipt.says["message_id"] != sent.request.message_id or receipt.says["content_commit"] != evidence.content_commit(sent.request):
            self.history.lose(f"{sent.request.message_id}: the receipt is of something else")
        self.history.see_head(receipt.head)
        with self.history.lock:
            sent.accepted = accepted
            self.history.counts["receipts"] += 1

    def token(self) -> str:
        return "K-" + self.rng.randbytes(8).hex().upper()

    def police(self) -> None:
        choice = self.rng.random()
        if choice < 0.25:
            return self.fetch()
        token = self.token()
        content = self.party.notice("notice-both")
        content["control"].update(invoice_reference=token, laboratories=[])
        if self.rng.random() < 0.1:
            content = largest.notice(content)
        if choice < 0.45 and (old := self.history.pick(self.rng, self.who, "notice", lambda sent: not sent.may_stay_unseen)):
            if choice < 0.38:
                request = self.party.request(content, replaces=old.request.message_id)
                return self.deliver(self.write_down("notice", request, token, old))
            reason = common_pb2.NOTICE_WITHDRAWAL_REASON_SENT_IN_ERROR
            request = self.party.request(withdrawal=reason, replaces=old.request.message_id)
            return self.deliver(self.write_down("withdrawal", request, token, old))
        content["municipality_of_stay"] = self.rng.choice(["0301", "0301", "3411", "5501"])
        return self.deliver(self.write_down("notice", self.party.request(content), token))

    def unit(self) -> None:
        choice = self.rng.random()
        if choice < 0.6:
            return self.fetch()
        with self.history.lock:
            mine = [item for (who, _), item in self.history.items.items() if who == self.who and item.acknowledged and item.token]
            tokens = {item.token for item in mine}
            cases = [sent.accepted.case_ref for sent in self.history.sent if sent.token in tokens and sent.accepted and not sent.may_stay_unseen]
        if not cases:
            return self.fetch()
        # The dates tell one report from every other of its case.
        absent = -self.rng.randint(1, 9)
        content = report(self.rng.choice(cases), summoned=-10, absent=absent)
        token = f"{content['case_ref']} {day(absent)}"
        with self.history.lock:
            if any(sent.token == token for sent in self.history.sent):
                return None
            written = self.write_down("report", self.party.request(content), token)
        return self.deliver(written)

    def laboratory(self) -> None:
        with self.history.lock:
            notices = [sent for sent in self.history.sent if sent.kind == "notice" and sent.accepted and not sent.may_stay_unseen]
        if not notices:
            return time.sleep(0.05)
        token = self.token()
        old = self.history.pick(self.rng, self.who, "result", lambda sent: not sent.may_stay_unseen) if self.rng.random() < 0.2 else None
        if old:
            content = result(old.request.content.requisition_id, old.request.content.sample.label, "result-corrected")
            content["urine_validity"]["ph"] = f"6.{self.rng.randrange(10**6):06}"
            token = f"{old.request.content.sample.label} {content['urine_validity']['ph']}"
            return self.deliver(self.write_down("result", self.party.request(content, replaces=old.request.message_id), token, old))
        content = result(self.rng.choice(notices).accepted.requisition_id, token)
        if self.rng.random() < 0.1:
            content = largest.result(content)
        token = f"{token} {content['urine_validity']['ph']}"
        return self.deliver(self.write_down("result", self.party.request(content), token))

    def auditor(self) -> None:
        text = self.party.call("AuditService", "GetCheckpoint").checkpoint.decode()
        self.history.see_head(evidence.checkpoint(text, self.vkey))
        if self.rng.random() < 0.15:
            self.hold()
        time.sleep(0.1)

    def hold(self) -> None:
        """Places a hold on a case, or lifts one: the next turn is due at once and copies the case's records, or lets them go."""
        held = [case for case, is_held in self.history.holds.items() if is_held is not False]
        if len(held) > 3 or (held and self.rng.random() < 0.3):
            case = self.rng.choice(held)
            was, self.history.holds[case] = self.history.holds[case], None
            try:
                self.party.own("LiftHold", case_ref=case)
            except Refusal as refusal:
                # Where no answer came to the placing or an earlier lifting, there may be none.
                if refusal.reason != "HOLD_UNKNOWN" or was is not None:
                    raise
            self.history.holds[case] = False
            self.history.counts["lifted"] += 1
            return
        sent = next((found for party in ("politi-oslo", "politi-innlandet") if (found := self.history.pick(self.rng, party, "notice", lambda _: True))), None)
        if sent is None:
            return
        case = sent.accepted.case_ref
        self.history.holds[case] = None
        self.party.own("PlaceHold", case_ref=case, reason=self.rng.randint(1, 5), until=day(self.rng.randint(30, 300)))
        self.history.holds[case] = True
        self.history.counts["held"] += 1

    def fetch(self) -> None:
        items = self.party.receive(max_items=64)
        for item in items:
            self.got(item)
        kept = [item for item in items if self.rng.random() < 0.8]
        if not kept:
            return
        self.party.acknowledge(*kept)
        with self.history.lock:
            for item in kept:
                self.history.items[self.who, item.item_number].acknowledged = True
            self.history.counts["acknowledged"] += len(kept)

    def got(self, item) -> None:
        which = item.WhichOneof("item")
        content = b"" if "withdrawal" in which else getattr(item, which).SerializeToString(deterministic=True)
        token = None
        if which == "notice":
            token = item.notice.control.invoice_reference
        elif which == "report":
            token = f"{item.report.case_ref} {item.report.missed_dates[0]}"
        elif which == "result":
            token = f"{item.result.sample.label} {item.result.urine_validity.ph}"
        with self.history.lock:
            self.history.counts["delivered"] += 1
            known = self.history.items.setdefault((self.who, item.item_number), Item(token, content))
            if known.acknowledged:
                self.history.losses.append(f"{self.who}: item {item.item_number} came back after it was acknowledged")
            if (known.token, known.content) != (token, content):
                self.history.losses.append(f"{self.who}: item {item.item_number} has other content than before")


# Journals and turns so small that files are closed and the store is turned over within seconds.
SETTINGS = {"journal_file_bytes": 65536, "journal_turn_bytes": 65536, "erase_within_s": 60, "nlk_codes_file": "nlk.csv"}


def prepare(gateway: Gateway) -> None:
    """Everything but a store."""
    gateway.prepare(**SETTINGS)
    largest.write_table(gateway.folder / "nlk.csv")


NAMES = ["politi-oslo", "politi-innlandet", "ru-oslo", "ru-hamar", "ru-tromso", "lab-ous", "lab-st-olav", "tilsyn"]


# A named point comes up within so many seconds under load, or not at all.
POINT_SECONDS = 8.0


class Load:
    """All clients at work."""

    def __init__(self, gateway: Gateway, history: History, rng: random.Random):
        self.history, self.stop = history, threading.Event()
        self.clients = [Client(gateway, name, history, rng.randrange(2**32), self.stop) for name in NAMES]
        for client in self.clients:
            client.start()

    def end(self) -> None:
        """After the gateway's end."""
        self.stop.set()
        for client in self.clients:
            client.join(timeout=60)
            if client.is_alive():
                self.history.lose(f"{client.who}: hangs after its gateway was killed")


def random_round(gateway: Gateway, history: History, rng: random.Random, seconds: float) -> None:
    """Starts the gateway, works, and kills it; sometimes while it still starts."""
    gateway.start()
    if rng.random() < 0.2:
        time.sleep(rng.random() * 0.3)
        gateway.kill()
        gateway.start()
    gateway.wait_until_serving()
    load = Load(gateway, history, rng)
    time.sleep(rng.uniform(0.2, seconds))
    gateway.kill()
    load.end()


def point_round(gateway: Gateway, history: History, rng: random.Random, point: points.Point) -> bool:
    """Starts the gateway so that it dies at the point, and works until it does. Whether it did."""
    trace = gateway.folder / "trace"
    trace.unlink(missing_ok=True)
    command = points.strace(point, gateway.folder / "data", trace)
    if command is None:
        return False
    gateway.start(command)
    end, load = time.monotonic() + POINT_SECONDS, None
    try:
        watch = threading.Thread(target=kill_behind, args=(gateway, point, trace, end))
        watch.start()
        gateway.wait_until_serving(POINT_SECONDS)
        load = Load(gateway, history, rng)
        while gateway.process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
    except RuntimeError:
        if gateway.process.poll() is None:
            raise
    watch.join()
    is_reached = gateway.process.poll() is not None
    gateway.kill()
    if load:
        load.end()
    if is_reached and not is_killed(point, gateway.process.returncode, gateway.tail()):
        history.lose(f"{point.name}: the gateway ended with {gateway.process.returncode}: {gateway.tail()}")
    return is_reached


def is_killed(point: points.Point, code: int, tail: str) -> bool:
    """Whether a process ended by SIGKILL. Behind an `after` point the kill may come while strace is about to listen to the stopped process, which
    ends strace with an error of its own."""
    lost = point.after and code == 1 and tail.rstrip().rsplit("\n", 1)[-1].startswith("strace: ptrace(PTRACE_LISTEN,")
    return lost or code in (-signal.SIGKILL, 128 + signal.SIGKILL)


def kill_behind(gateway: Gateway, point: points.Point, trace: Path, end: float) -> None:
    """Kills the process when it stands behind the point's call."""
    while point.after and gateway.process.poll() is None and time.monotonic() < end:
        if points.is_behind(trace):
            return gateway.kill()
        time.sleep(0.005)


def all_points(gateway: Gateway, history: History, rng: random.Random) -> int:
    """Every named point once. How many did not come up."""
    missed = [point for point in points.POINTS if not point_round(gateway, history, rng, point)]
    # A turn or a full tile may have come too late: once more.
    missed = [point for point in missed if not point.first and not point_round(gateway, history, rng, point)]
    for point in missed:
        history.lose(f"the point was not reached: {point.name}")
    return len(missed)


def settle(gateway: Gateway, history: History, rng: random.Random) -> None:
    """Answers what is open, sends everything once more, and empties every mailbox."""
    clients = {name: Client(gateway, name, history, rng.randrange(2**32), threading.Event()) for name in NAMES}
    for client in clients.values():
        while sent := history.unanswered(client.who):
            client.deliver(sent)
    for sent in [sent for sent in history.sent if sent.accepted is not None]:
        clients[sent.party].deliver(sent)
    for name in NAMES:
        if name.startswith(("politi-", "ru-")):
            while items := clients[name].party.receive():
                for item in items:
                    clients[name].got(item)
                clients[name].party.acknowledge(*items)
            if clients[name].party.receive():
                history.lose(f"{name}: acknowledged items are handed out again")
    for client in clients.values():
        client.party.channel.close()


def check_delivery(history: History) -> None:
    by_token: dict[str, list[Item]] = {}
    for item in history.items.values():
        if item.token:
            by_token.setdefault(item.token, []).append(item)
    for sent in history.sent:
        if sent.kind == "withdrawal":
            continue
        items = by_token.pop(sent.token, [])
        if sent.accepted is None:
            if items:
                history.lose(f"{sent.request.message_id}: refused with {sent.refused}, and delivered")
            continue
        if not items and not sent.may_stay_unseen:
            history.lose(f"{sent.request.message_id}: {sent.kind} accepted and never delivered")
        if len(items) > 1:
            history.lose(f"{sent.request.message_id}: delivered as {len(items)} items")
        content = sent.request.content.SerializeToString(deterministic=True)
        if any(item.content != content for item in items):
            history.lose(f"{sent.request.message_id}: delivered with other content")
    for token in by_token:
        history.lose(f"delivered what nobody sent: {token}")


def records(auditor: Party, start: int = 0) -> list:
    """Every entry of the log, or those from one on."""
    entries = []
    while True:
        rows = auditor.call("AuditService", "ListRecords", audit_pb2.ListRecordsRequest(from_index=start))
        entries += [row.entry for row in rows if row.HasField("entry")]
        if not rows[-1].HasField("end"):
            raise Lost("a list of records has no end")
        if not rows[-1].end.HasField("next_index"):
            return entries
        start = rows[-1].end.next_index


def check_log(gateway: Gateway, history: History) -> int:
    vkey = gateway.vkey()
    with Patient(gateway, "tilsyn") as auditor:
        entries = records(auditor)
        if [entry.index for entry in entries] != list(range(len(entries))):
            history.lose("the log's records have gaps")
        in_log = Counter((entry.record.actor, entry.record.message_id) for entry in entries if entry.record.kind in ACCEPTANCES)
        ours = {(sent.party, sent.request.message_id): sent for sent in history.sent}
        for who, times in in_log.items():
            if times > 1:
                history.lose(f"{who} is in the log {times} times")
            if who not in ours or ours[who].accepted is None:
                history.lose(f"{who} is in the log and nobody has its receipt")
        for who, sent in ours.items():
            if sent.accepted is not None:
                if in_log[who] != 1:
                    history.lose(f"{who} has a receipt and is not in the log")
                elif entries[sent.accepted.log_index].record.message_id != sent.request.message_id:
                    history.lose(f"{who} stands at another place in the log than its receipt says")
        check_holds(history, entries, list(auditor.own("ListHolds").holds))
        head = evidence.checkpoint(auditor.call("AuditService", "GetCheckpoint").checkpoint.decode(), vkey)
        history.see_head(head)
        known = [evidence.Head(size, root) for size, root in sorted(history.heads.items())]
        for old, new in zip(known, known[1:]):
            asked = audit_pb2.GetConsistencyProofRequest(old_size=old.size, new_size=new.size)
            try:
                evidence.consistent(old, new, list(auditor.call("AuditService", "GetConsistencyProof", asked).hashes))
            except evidence.Broken as broken:
                history.lose(str(broken))
    return len(entries)


HOLD_PLACED, HOLD_LIFTED = 63, 64


def check_holds(history: History, entries: list, listed: list) -> None:
    """What is held is what the log tells, and what the auditor was told."""
    told: dict[str, int] = {}
    for entry in entries:
        if entry.record.kind in (HOLD_PLACED, HOLD_LIFTED):
            told[entry.record.case_ref] = entry.record.kind
    by_log = {case for case, kind in told.items() if kind == HOLD_PLACED}
    if {hold.case_ref for hold in listed} != by_log:
        history.lose("the holds in force are not those that the log tells of")
    for case, is_held in history.holds.items():
        if is_held is not None and is_held != (case in by_log):
            history.lose(f"the hold on {case} was answered as {'placed' if is_held else 'lifted'} and is not")
    for hold in listed:
        record = entries[hold.index].record
        if (record.kind, record.case_ref) != (HOLD_PLACED, hold.case_ref):
            history.lose(f"the hold on {hold.case_ref} names another entry of the log")


def save_receipts(folder: Path, history: History, vkey: str) -> None:
    folder.mkdir(exist_ok=True)
    for sent in history.sent:
        if sent.accepted is not None:
            receipt = evidence.receipt(sent.accepted.receipt, vkey)
            (folder / f"{sent.request.message_id}.tlog-proof").write_bytes(sent.accepted.receipt)
            (folder / f"{sent.request.message_id}.leaf").write_bytes(receipt.leaf)


# Rounds on one store; then everything is checked and a new one is begun, as the history that is searched grows with every round.
ROUNDS_PER_STORE = 50


def one_store(folder: Path, seed: int, rounds: int, with_points: bool, seconds: float) -> tuple[History, int]:
    """So many rounds on a new store, then every check. Its history, and the entries of its log."""
    rng, history, size = random.Random(seed), History(), 0
    gateway = Gateway(folder)
    prepare(gateway)
    try:
        if with_points:
            missed = all_points(gateway, history, rng)
            print(f"kill: {len(points.POINTS)} named points, {missed} not reached, losses {len(history.losses)}", flush=True)
        for number in range(1, rounds + 1):
            random_round(gateway, history, rng, seconds)
            if number % 10 == 0 or number == rounds:
                print(f"kill: round {number}: {dict(sorted(history.counts.items()))} losses {len(history.losses)}", flush=True)
        gateway.start()
        gateway.wait_until_serving()
        settle(gateway, history, rng)
        check_delivery(history)
        size = check_log(gateway, history)
        save_receipts(folder / "receipts", history, gateway.vkey())
        if gateway.stop() != 0:
            history.lose("the gateway does not stop cleanly")
    except Exception as error:
        history.lose(f"{type(error).__name__}: {error}")
    finally:
        if gateway.process and gateway.process.poll() is None:
            gateway.kill()
    if history.counts["receipts"] == 0:
        history.lose("nothing was accepted: nothing was tested")
    for loss in history.losses[:40]:
        print(f"kill: LOSS: {loss}; replay with --seed {seed} --rounds {rounds}{' --points' if with_points else ''}", flush=True)
    return history, size


def main() -> int:
    parser = argparse.ArgumentParser(description="Kills the gateway under load and looks for losses.")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--points", action="store_true", help="also kill once at each named commit point")
    parser.add_argument("--seconds", type=float, default=3.0, help="the longest time under load before a kill")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--dir", type=Path, default=None, help="a new folder that stays; with the last of the stores")
    args = parser.parse_args()
    if args.points and not shutil.which("strace"):
        parser.error("--points needs strace")
    seed = int.from_bytes(os.urandom(4), "big") if args.seed is None else args.seed
    print(f"kill: {args.rounds} rounds, seed {seed}", flush=True)
    begun, counts, entries, heads, losses = time.monotonic(), Counter(), 0, 0, 0
    stores = max(1, -(-args.rounds // ROUNDS_PER_STORE))
    for store in range(stores):
        is_last = store + 1 == stores
        rounds = args.rounds - ROUNDS_PER_STORE * store if is_last else ROUNDS_PER_STORE
        folder = args.dir if is_last and args.dir else Path(tempfile.mkdtemp(prefix="samband-kill-"))
        history, size = one_store(folder, seed + store, rounds, args.points and store == 0, args.seconds)
        counts, entries, heads, losses = counts + history.counts, entries + size, heads + len(history.heads), losses + len(history.losses)
        if folder != args.dir and not history.losses:
            shutil.rmtree(folder, ignore_errors=True)
    named = f"{len(points.POINTS)} named points, " if args.points else ""
    print(
        f"kill: {named}{args.rounds} rounds, {counts['receipts']} receipts, {counts['delivered']} deliveries, {entries} entries, "
        f"{heads} heads, {losses} losses, {time.monotonic() - begun:.0f} s, seed {seed}"
    )
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
