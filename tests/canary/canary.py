"""Content is nowhere outside its sealed place: marked persons and values go through the real program, then everything it leaves behind is searched.

    SAMBAND_BINARY=... SAMBAND_STUBS=... python canary.py [--debug-binary FILE] [--memory]

The whole life of cases is played at the level `trace`, as JSON and as text, with every kind of refusal; a build with debug assertions is made to panic with
content in its words. Searched are: the log; every status, detail and trailer that a client was given; /metrics; the data folder, its index and
the high-water file; backups made by deploy/backup.sh before and after the erasure; temporary files and whatever else was opened for writing (strace); core
files, after signals that make them elsewhere; and, where this process may read it, the gateway's memory after the erasure. Each value is searched as it is, in
other encodings and as hashes of it. Each search is shown to find what is there.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "python")]

import client  # noqa: E402
import grpc  # noqa: E402
import marks as marking  # noqa: E402
from client import BINARY, ROOT, Gateway, Party, Refusal, audit_pb2, common_pb2, day, report, result  # noqa: E402
from marks import Marks, Memory, files, hits, needles  # noqa: E402

ERASE_WITHIN_S = 60
# An analysis code of no real analysis, so that it is a mark, too. It stands in the table of codes, so it is not searched for in memory.
NLK_CODE = "NOR98761"
HEARD: list[bytes] = []
FAILED: list[str] = []


def record(self, error, original=Refusal.__init__):
    """Everything that a client is told with a refusal, as it came."""
    parts = [str(error.code()), error.details() or "", *(f"{key}={value!r}" for key, value in (error.trailing_metadata() or ()))]
    parts += [f"{key}={value!r}" for key, value in (error.initial_metadata() or ())]
    HEARD.append("\n".join(parts).encode("utf-8", "surrogateescape"))
    HEARD.extend(value for _, value in (error.trailing_metadata() or ()) if isinstance(value, bytes))
    original(self, error)


Refusal.__init__ = record


def demand(holds: bool, what: str) -> None:
    if not holds:
        FAILED.append(what)
        print(f"canary: LEAK: {what}", flush=True)


def say(what: str) -> None:
    print(f"canary: {what}", flush=True)


class Canary(Gateway):
    """The program at its most talkative, with temporary files and working directory of its own."""

    def __init__(self, folder: Path, style: str, binary: Path = BINARY, **env: str):
        super().__init__(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.admin = free.getsockname()[1]
        self.style, self.binary, self.env, self.under = style, binary, env, []
        self.tmp, self.cwd = folder / "tmp", folder / "cwd"

    def begin(self) -> None:
        table = (ROOT / "data/nlk_codes.csv").read_text(encoding="utf-8").rstrip("\n")
        self.prepare(erase_within_s=ERASE_WITHIN_S, nlk_codes_file="nlk.csv", admin_listen=f"127.0.0.1:{self.admin}")
        (self.folder / "nlk.csv").write_text(f"{table}\n{NLK_CODE},U-Prøve,URINE,CANNABIS,no,2024-01-01,,test\n", encoding="utf-8")
        file = self.folder / "samband.toml"
        file.write_text(file.read_text(encoding="utf-8").replace('level = "warn"', f'level = "trace"\nformat = "{self.style}"'), encoding="utf-8")
        self.tmp.mkdir()
        self.cwd.mkdir()
        self.log.unlink()
        self.start_loud()
        self.wait_until_serving()

    def start_loud(self) -> None:
        command = [*self.under, str(self.binary), "serve", "--config", str(self.folder / "samband.toml")]
        self.is_child = bool(self.under)
        env = {**os.environ, "RUST_LOG": "trace", "RUST_BACKTRACE": "full", "TMPDIR": str(self.tmp), **self.env}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.cwd)

    def metrics(self) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            return answer.read()


class Play:
    """The life of cases, every message marked."""

    def __init__(self, gateway: Canary, seed: int):
        self.gateway, self.marks = gateway, Marks(random.Random(seed))
        self.police, self.innlandet = Party(gateway, "politi-oslo"), Party(gateway, "politi-innlandet")
        self.unit, self.hamar = Party(gateway, "ru-oslo"), Party(gateway, "ru-hamar")
        self.lab, self.olav, self.auditor = Party(gateway, "lab-ous"), Party(gateway, "lab-st-olav"), Party(gateway, "tilsyn")
        self.parties = [self.police, self.innlandet, self.unit, self.hamar, self.lab, self.olav, self.auditor]
        self.accepted = []

    def close(self) -> None:
        for party in self.parties:
            party.channel.close()

    def subject(self, **fixed) -> dict:
        marks = self.marks
        address = {"lines": [f"{marks.name('address')} 1"], "postcode": "0155", "place": marks.name("place")}
        phone = marks.mark("phone", f"+47{marks.rng.randint(10**9, 10**10 - 1)}")
        names = {"family_name": marks.name("family name"), "given_name": marks.name("given name")}
        return {"fnr": marks.number(), **names, "reach": {"postal_address": address, "phone": phone}, **fixed}

    def notice(self, **fixed) -> dict:
        content = self.police.notice("notice-both", subject=self.subject(**fixed))
        content["control"].update(invoice_reference=self.marks.mark("invoice reference", marking.word(self.marks.rng, 16)), laboratories=[])
        return content

    def result(self, requisition: str, label: str | None = None) -> dict:
        marks = self.marks
        # The label stays in the state of its case, sealed, for as long as later results are checked against it.
        content = result(requisition, label or marks.mark("sample label", marking.word(marks.rng, 16), personal=False))
        quantity = {"value": marks.decimal("quantity", marks.rng.randint(40, 900_000)), "cut_off": marks.decimal("cut-off", 10)}
        content["findings"][0].update(nlk_code=NLK_CODE)
        content["findings"][0]["quantity"].update(quantity)
        content["urine_validity"].update(creatinine_mmol_per_l=marks.decimal("creatinine", 8), ph=marks.decimal("pH", 6))
        return content

    def send(self, party: Party, content: dict | None = None, **kind):
        request = party.request(content, **kind)
        accepted = party.send(request)
        self.accepted.append((party, request, accepted))
        return request, accepted

    def life(self) -> None:
        """All three messages, corrected, returned and withdrawn; whatever status, evidence and auditors are told."""
        self.marks.mark("analysis code", NLK_CODE, personal=False)
        _, first = self.send(self.police, self.notice())
        number = self.marks.number("D-number", is_d_number=True)
        content = self.notice()
        del content["subject"]["fnr"]
        self.send(self.police, {**content, "subject": {**content["subject"], "d_number": number}})
        (returned, _) = self.send(self.police, self.notice())
        (withdrawn, _) = self.send(self.police, self.notice())
        self.send(self.police, withdrawal=common_pb2.NOTICE_WITHDRAWAL_REASON_SENT_IN_ERROR, replaces=withdrawn.message_id)
        old, case = self.send(self.police, self.notice())
        corrected = self.notice(fnr=old.content.subject.fnr)
        _, case = self.send(self.police, corrected, replaces=old.message_id)
        items = self.unit.receive()
        by_invoice = {item.notice.control.invoice_reference: item for item in items if item.WhichOneof("item") == "notice"}
        back = by_invoice[returned.content.control.invoice_reference]
        self.unit.own("Return", item_number=back.item_number, reason=common_pb2.NOTICE_RETURN_REASON_NOT_STAYING_HERE)
        self.items = [item for item in items if item.item_number != back.item_number]
        self.unit.acknowledge(*[item for item in self.items if item.case_ref in (first.case_ref, case.case_ref)])
        reported, _ = self.send(self.unit, report(case.case_ref, absent=-3))
        self.send(self.unit, report(case.case_ref, absent=-4), replaces=reported.message_id)
        again, _ = self.send(self.unit, report(first.case_ref, absent=-5))
        self.send(self.unit, withdrawal=common_pb2.REPORT_WITHDRAWAL_REASON_SENT_IN_ERROR, replaces=again.message_id)
        told, _ = self.send(self.lab, self.result(case.requisition_id))
        self.send(self.lab, self.result(case.requisition_id, told.content.sample.label), replaces=told.message_id)
        wrong, _ = self.send(self.olav, self.result(first.requisition_id))
        self.send(self.olav, withdrawal=common_pb2.RESULT_WITHDRAWAL_REASON_WRONG_SAMPLE, replaces=wrong.message_id)
        self.send_again()
        for party in (self.police, self.unit, self.lab):
            ids = [request.message_id for who, request, _ in self.accepted if who is party]
            party.own("GetStatus", message_ids=ids)
            party.own("WatchStatus")
            party.own("LookUp")
            for one in ids:
                party.own("GetReceipt", message_id=one)
                party.own("GetEvidence", message_id=one)
        rows = self.auditor.call("AuditService", "ListRecords")
        for row in rows[:40]:
            if row.HasField("entry"):
                self.auditor.call("AuditService", "GetProof", audit_pb2.GetProofRequest(index=row.entry.index))

    def send_again(self) -> None:
        for party, request, accepted in self.accepted:
            assert party.send(request).receipt == accepted.receipt

    def refused(self, call, *arguments, **named) -> None:
        try:
            call(*arguments, **named)
        except Refusal:
            return
        FAILED.append(f"not refused: {getattr(call, '__name__', call)}")

    def refusals(self) -> None:
        """Everything that can be wrong, with a mark in it."""
        marks, rng = self.marks, self.marks.rng
        good = self.police.request(self.notice())

        def bent(change) -> None:
            request = self.police.request(self.notice())
            change(request.content)
            self.refused(self.police.send, request)

        wrong = marks.number("wrong check digit")
        wrong = marks.mark("wrong check digit", wrong[:10] + str((int(wrong[10]) + 1) % 10))
        bent(lambda content: setattr(content.subject, "fnr", wrong))
        bent(lambda content: setattr(content.subject, "d_number", marks.number("fødselsnummer as D-number")))
        bent(lambda content: setattr(content.subject, "family_name", marks.mark("bad name", marking.word(rng) + "77")))
        bent(lambda content: setattr(content.subject.reach, "phone", marks.mark("bad phone", "0047" + str(rng.randint(10**9, 10**10)))))
        bent(lambda content: setattr(content.subject.reach.postal_address, "place", marks.mark("bad place", marking.word(rng) + "#")))
        bent(lambda content: setattr(content, "municipality_of_stay", marks.mark("number as municipality", marking.identity_number(rng))))
        bent(lambda content: setattr(content, "decision_date", marks.mark("name as date", marking.word(rng))))
        bent(lambda content: setattr(content, "contact", marks.mark("unknown contact", marking.word(rng).lower())))
        bent(lambda content: setattr(content.control, "invoice_reference", marks.mark("bad invoice reference", marking.word(rng).lower() + "?")))
        changed = self.police.request(self.notice())
        first = next(request for who, request, _ in self.accepted if who is self.police)
        changed.message_id = first.message_id
        self.refused(self.police.send, changed)
        self.refused(self.police.send, self.police.request(self.notice(), replaces=client.message_id()))
        for field, value in (("message_id", "mark as id"), ("replaces", "mark as reference")):
            request = self.police.request(self.notice())
            setattr(request, field, marks.mark(value, marking.word(rng)))
            self.refused(self.police.send, request)
        case = next(accepted.case_ref for who, _, accepted in self.accepted if who is self.police)
        self.refused(self.hamar.send, self.hamar.request(report(case)))
        self.refused(self.unit.send, self.unit.request(report(marks.mark("number as case", marking.identity_number(rng)))))
        requisition = next(accepted.requisition_id for who, _, accepted in self.accepted if who is self.police)
        for change in (
            lambda content: content.update(requisition_id=marks.mark("name as requisition", marking.word(rng))),
            lambda content: content["sample"].update(label=marks.mark("bad label", marking.word(rng).lower())),
            lambda content: content["findings"][0].update(nlk_code=marks.mark("unknown code", "NPU" + str(rng.randint(10**7, 10**8)))),
            lambda content: content["findings"][0]["quantity"].update(value=marks.mark("bad decimal", f"{rng.randint(10**5, 10**6)},{rng.randint(10**5, 10**6)}")),
            lambda content: content["findings"][0]["quantity"].update(unit=marks.mark("bad unit", marking.word(rng))),
            lambda content: content.update(received_on=day(3)),
        ):
            content = self.result(requisition)
            change(content)
            self.refused(lambda content=content: self.lab.send(self.lab.request(content)))
        self.raw(good.SerializeToString())
        for party, call, fields in (
            (self.police, "GetStatus", {"message_ids": [marks.mark("status of a mark", marking.word(rng))]}),
            (self.unit, "GetReceipt", {"message_id": marks.mark("receipt of a mark", marking.identity_number(rng))}),
            (self.lab, "GetEvidence", {"message_id": marks.mark("evidence of a mark", marking.word(rng))}),
            (self.police, "WatchStatus", {"cursor": marks.mark("cursor", marking.word(rng))}),
            (self.unit, "Receive", {"reader_id": marks.mark("reader", marking.word(rng) + "?"), "until_empty": True}),
            (self.police, "LookUp", {"participant_id": marks.mark("participant", marking.word(rng))}),
            (self.unit, "SetContact", {"role_name": "x", "phone": marks.mark("contact's phone", "00" + str(rng.randint(10**9, 10**10)))}),
        ):
            try:
                party.own(call, **fields)
            except (Refusal, ValueError):
                pass
        self.refused(self.hamar.own, "Acknowledge", item_numbers=[self.items[0].item_number])

    def raw(self, good: bytes) -> None:
        """Bytes that no client library writes, names and headers that no service has, and TLS that is none."""
        marks, rng = self.marks, self.marks.rng
        send = lambda data: self.police.raw("ProsecutionService", "SendConditionNotice", data)  # noqa: E731
        mark = lambda what: marks.mark(what, marking.word(rng)).encode()  # noqa: E731
        unknown = mark("unknown field")
        self.refused(send, good + b"\xfa\x01" + bytes([len(unknown)]) + unknown)
        self.refused(send, mark("no protobuf"))
        self.refused(send, good[:-9])
        self.refused(send, b"\x0d" + mark("wrong wire type"))
        self.refused(send, good + good)
        self.refused(send, good.replace(b"Storgata", b"\xff\xfe\xfd\xfc") + b"\x0a\x04\xff\xff\xff\xff")
        self.refused(send, mark("too large") * 20_000)
        self.refused(self.police.raw, "ProsecutionService", marks.mark("call", marking.word(rng)), good)
        self.refused(self.police.raw, marks.mark("service", marking.word(rng)), "Send", good)
        self.refused(self.lab.raw, "ProsecutionService", "SendConditionNotice", good)
        headers = [("x-mark", marks.mark("header", marking.word(rng))), ("user-agent", marks.mark("agent", marking.word(rng))), ("authorization", marks.mark("token", marking.word(rng)))]
        try:
            client.checked(self.police.stub().SendConditionNotice, self.police.request(), metadata=headers)
        except Refusal:
            pass
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name in (mark("server name").decode().lower(), "localhost"):
            try:
                with socket.create_connection(("localhost", self.gateway.port)) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
                    tls.sendall(b"GET /" + mark("path") + b" HTTP/1.1\r\n\r\n")
                    HEARD.append(tls.recv(4096))
            except OSError:
                pass
        for port in (self.gateway.port, self.gateway.admin):
            with socket.create_connection(("localhost", port)) as plain:
                plain.sendall(b"GET /" + mark("plain path") + b" HTTP/1.1\r\nHost: " + mark("host") + b"\r\nConnection: close\r\n\r\n")
                plain.settimeout(5)
                try:
                    HEARD.append(plain.recv(4096))
                except OSError:
                    pass

    def settle(self) -> None:
        """Everybody acknowledges everything."""
        for party in (self.police, self.innlandet, self.unit, self.hamar):
            while party.take():
                pass


def search(what: str, paths: list[Path], wanted: dict[str, bytes]) -> None:
    size = 0
    for path in paths:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        size += len(data)
        for name in hits(data, wanted):
            demand(False, f"{name} is in {what}: {path.name}")
    say(f"{what}: {len(paths)} files, {size} bytes, {len(wanted)} forms of marks: searched")


def search_all(play: Play, outside: list[Path], when: str) -> dict[str, bytes]:
    gateway = play.gateway
    wanted = needles(play.marks.values)
    search(f"log {when}", [gateway.log], wanted)
    search(f"data folder {when}", files(gateway.folder / "data", gateway.folder / "high-water"), wanted)
    search(f"temporary files {when}", files(gateway.tmp, gateway.cwd, *outside), wanted)
    heard = b"\n".join(HEARD) + gateway.metrics()
    for name in hits(heard, wanted):
        demand(False, f"{name} was told to a client {when}")
    say(f"what {len(HEARD)} refusals and the metrics told {when}: {len(heard)} bytes: searched")
    return wanted


def is_private(gateway: Canary) -> None:
    """No core file, and memory that nobody but root reads."""
    pid = gateway.pid()
    limits = Path(f"/proc/{pid}/limits").read_text()
    core = re.search(r"^Max core file size\s+(\S+)\s+(\S+)", limits, re.MULTILINE)
    demand(core is not None and core.groups() == ("0", "0"), "core files are not off")
    say(f"core file size: soft and hard limit {core.groups()}")


def signals(folder: Path, seed: int) -> None:
    """Signals that end a program with a core file end this one without; nor may its own user read its memory."""
    control = subprocess.Popen(["sh", "-c", "ulimit -c unlimited; kill -ABRT $$"], cwd=folder)
    told = os.waitid(os.P_PID, control.pid, os.WEXITED | os.WNOWAIT)
    control.wait()
    makes_cores = told.si_code == os.CLD_DUMPED
    # A shell's job in the background is born with it ignored, and so would be the gateway.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    for number, which in enumerate((signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT)):
        gateway = Canary(folder / f"signal-{number}", "text")
        gateway.under = ["sh", "-c", 'ulimit -c unlimited 2>/dev/null; exec "$0" "$@"']
        gateway.begin()
        # sh has become the program itself.
        gateway.is_child = False
        is_private(gateway)
        told, until = None, time.monotonic() + 60
        while told is None:
            demand(time.monotonic() < until, f"{which.name} does not end it")
            # The runtime's guard of the stack lets the first SIGSEGV pass when no address stands behind it.
            os.kill(gateway.process.pid, which)
            time.sleep(0.2)
            told = os.waitid(os.P_PID, gateway.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        gateway.process.wait()
        demand(told.si_code != os.CLD_DUMPED, f"{which.name} left a core file")
        demand(not [path for path in files(gateway.folder) if path.name.startswith("core")], f"{which.name} left a core file")
    say(f"three signals, no core file (a shell under the same limits {'leaves one' if makes_cores else 'leaves none on this machine either'})")


def own_user(folder: Path) -> None:
    """The gateway's own user may not read its memory."""
    if os.geteuid() != 0:
        return say("whether the gateway's user reads its memory: not tried, not root")
    gateway = Canary(folder / "user", "text")
    gateway.begin()
    gateway.stop()
    nobody = 65534
    for path in [folder, gateway.folder, *gateway.folder.rglob("*")]:
        os.chown(path, nobody, nobody)
    reader = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    gateway.under = reader
    gateway.start_loud()
    gateway.is_child = False
    gateway.wait_until_serving()
    read = [*reader, sys.executable, "-c", "import sys; open(sys.argv[1], 'rb').read(1)"]
    control = subprocess.Popen([*reader, "sleep", "30"])
    time.sleep(0.2)
    can_read_control = subprocess.run([*read, f"/proc/{control.pid}/environ"], capture_output=True).returncode == 0
    can_read = subprocess.run([*read, f"/proc/{gateway.process.pid}/environ"], capture_output=True).returncode == 0
    control.kill()
    control.wait()
    gateway.kill()
    demand(can_read_control and not can_read, "the gateway's own user can read its process")
    say("the gateway's own user cannot read its process, and can read another of its own")


def memory(play: Play, when: str, must_be_clean: bool) -> None:
    gateway = play.gateway
    values = {name: value for name, value in play.marks.values.items() if name in play.marks.personal}
    words = {value.encode(): f"{name}, as it is" for name, value in values.items()}
    words.update({value.encode().hex().encode(): f"{name}, hex" for name, value in values.items()})
    words["Oslo politidistrikt".encode()] = "control"
    # Forms with bytes that end a line, of the persons only: a number is kept by the value of its digits.
    persons = {name: marking.spellings(value) for name, value in values.items() if name.split(" ")[0] in ("identity", "D-number", "family")}
    wanted = {f"{name}, {form}": forms[form] for name, forms in persons.items() for form in ("UTF-16", "digits as numbers") if form in forms}
    try:
        found, size = Memory(gateway.pid()).search(words, wanted)
    except PermissionError:
        return say(f"memory {when}: not read, this process may not trace another")
    controls = {name for name in found if name.startswith("control")}
    demand(bool(controls), "the search of memory does not find what is there")
    remains = {name: count for name, count in found.items() if name not in controls}
    say(f"memory {when}: {size >> 20} MiB, {len(values)} marks: {sum(remains.values())} places hold {len({name.split(',')[0] for name in remains})} of them")
    kinds: dict[str, int] = {}
    for name, count in remains.items():
        kind = re.sub(r" \d+, ", ", ", name)
        kinds[kind] = kinds.get(kind, 0) + count
    for kind, count in sorted(kinds.items(), key=lambda pair: -pair[1])[:12]:
        say(f"memory {when}:   {count} × {kind}")
    if must_be_clean:
        demand(not remains, f"memory {when} holds {len(remains)} marks of erased content")


def wait_for_erasure(gateway: Canary, journals: list[Path]) -> None:
    begun = time.monotonic()
    while any(journal.exists() for journal in journals):
        if time.monotonic() - begun > ERASE_WITHIN_S:
            return demand(False, "acknowledged content is not erased in time")
        time.sleep(0.2)
    say(f"erased {time.monotonic() - begun:.1f} s after it was acknowledged")


def back_up(gateway: Canary, folder: Path) -> list[Path]:
    with gateway.held_still():
        subprocess.run(["bash", ROOT / "deploy/backup.sh", gateway.folder / "data", folder / "archive", folder / "keys"], check=True)
    return files(folder)


def first_run(folder: Path, seed: int, with_memory: bool) -> None:
    """As JSON: life, refusals, backup, erasure, memory."""
    gateway = Canary(folder / "json", "json")
    gateway.begin()
    is_private(gateway)
    play = Play(gateway, seed)
    play.life()
    play.refusals()
    wanted = search_all(play, [], "with content undelivered")
    backup = folder / "backup"
    search("backup with content undelivered", back_up(gateway, backup), wanted)
    journals = files(gateway.folder / "data/journal")
    old = {path.name: path.read_bytes() for path in files(gateway.folder / "data/keys")}
    play.settle()
    wait_for_erasure(gateway, journals)
    search_all(play, [], "after the erasure")
    search("backup after the erasure", back_up(gateway, backup), wanted)
    left = [name for name, key in old.items() if name.startswith("journal") and any(key in path.read_bytes() for path in files(gateway.folder / "data", backup))]
    demand(not left, f"keys of erased journals are left: {left}")
    if with_memory:
        memory(play, "after the erasure, connections open", must_be_clean=False)
        play.close()
        time.sleep(2)
        memory(play, "after the erasure, connections closed", must_be_clean=False)
        # Of every kind: each has parsers, and so places on stacks, of its own.
        with Party(gateway, "politi-oslo") as other, Party(gateway, "ru-oslo") as unit, Party(gateway, "lab-ous") as lab:
            opened = [other.send(other.request(other.notice("notice-both"))) for _ in range(100)]
            while unit.take():
                pass
            for number, case in enumerate(opened):
                lab.send(lab.request(result(case.requisition_id, f"B-{number}")))
                unit.send(unit.request(report(case.case_ref)))
            while other.take():
                pass
        time.sleep(1)
        memory(play, "after a hundred messages of each kind of others", must_be_clean=True)
    lines = gateway.log.read_text(encoding="utf-8").splitlines()
    demand(sum(line.startswith("{") and bool(json.loads(line)) for line in lines) > 50, "the log is not JSON at a talkative level")
    demand(gateway.stop() == 0, "the gateway does not stop cleanly")
    search("everything after the stop", files(gateway.folder / "data", gateway.log, gateway.tmp, gateway.cwd, gateway.folder / "high-water"), wanted)
    # That the search finds what is there.
    (gateway.folder / "data/log/left").write_bytes(next(request for _, request, _ in play.accepted).SerializeToString())
    demand(bool(hits((gateway.folder / "data/log/left").read_bytes(), wanted)), "the search does not find what is there")
    play.close()


def second_run(folder: Path, seed: int) -> None:
    """As text, under strace: what is opened for writing lies in known places."""
    gateway = Canary(folder / "text", "text")
    trace = folder / "trace"
    if shutil.which("strace"):
        gateway.under = ["strace", "-f", "-qq", "-e", "trace=open,openat,creat,memfd_create,mknod", "-e", "signal=none", "-o", str(trace)]
    gateway.begin()
    play = Play(gateway, seed + 1)
    play.life()
    play.refusals()
    play.settle()
    outside = []
    if gateway.under:
        known = (str(gateway.folder), "/dev/null", "/dev/tty", "/proc/self")
        written = re.findall(r'(?:open|openat|creat)\((?:AT_FDCWD, )?"([^"]+)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT)[^)]*\)\s+= \d', trace.read_text(errors="replace"))
        outside = sorted({path for path in written if path.startswith("/") and not path.startswith(known)})
        demand(bool(written), "strace saw no file opened for writing")
        demand(not outside, f"opened for writing outside the known places: {outside}")
        demand("memfd_create" not in trace.read_text(errors="replace"), "a file without a name was made")
        say(f"{len(written)} opens for writing, all below the data folder or beside it: {len(outside)} outside")
    search_all(play, [], "as text")
    demand(not files(gateway.tmp, gateway.cwd), "temporary files were left")
    play.close()
    gateway.stop()


def panics(folder: Path, seed: int, binary: Path) -> None:
    """A thread panics with content in its words; the gateway goes on, and says where but not what."""
    at = client.message_id()
    gateway = Canary(folder / "panic", "json", binary, SAMBAND_PANIC_AT=at)
    gateway.begin()
    play = Play(gateway, seed + 2)
    request = play.police.request(play.notice())
    request.message_id = at
    play.refused(play.police.send, request)
    with Party(gateway, "politi-oslo") as another:
        another.own("LookUp")
    log = gateway.log.read_text(encoding="utf-8", errors="replace")
    demand("a thread panicked" in log and "src/grpc/provoke.rs" in log, "no panic was provoked")
    search_all(play, [], "after a panic with content in its words")
    play.close()
    gateway.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description="Searches everything that the program leaves behind for marked content.")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--debug-binary", type=Path, default=ROOT / "target/debug/samband", help="a build with debug assertions, to provoke a panic in")
    parser.add_argument("--no-memory", action="store_true", help="do not read the gateway's memory")
    args = parser.parse_args()
    seed = int.from_bytes(os.urandom(4), "big") if args.seed is None else args.seed
    say(f"seed {seed}")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="samband-canary-") as name:
        folder = Path(name)
        first_run(folder, seed, not args.no_memory)
        second_run(folder, seed)
        if args.debug_binary.exists():
            panics(folder, seed, args.debug_binary)
        else:
            demand(False, f"no panic was provoked: {args.debug_binary} is not there")
        signals(folder, seed)
        own_user(folder)
    print(f"canary: {len(FAILED)} leaks, {len(HEARD)} refusals, {time.monotonic() - begun:.0f} s, seed {seed}")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
