"""A client of every role and a gateway process to speak to, for the tests.

Made from `proto/` alone, with grpcio's own stubs; it shares no code with the program under test.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import grpc
from google.protobuf.message_factory import GetMessageClass
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, os.environ.get("SAMBAND_STUBS", str(ROOT / "target/python/stubs")))

from samband.v1 import audit_pb2, audit_pb2_grpc, common_pb2, laboratory_pb2, laboratory_pb2_grpc  # noqa: E402
from samband.v1 import messages_pb2, municipal_pb2, municipal_pb2_grpc, prosecution_pb2, prosecution_pb2_grpc  # noqa: E402

BINARY = Path(os.environ.get("SAMBAND_BINARY", ROOT / "target/release/samband"))
SAMPLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "samples").glob("*.json")}
# The day on which the samples were written; their dates are moved so that this is today.
SAMPLE_DAY = date(2026, 11, 20)
DEADLINE = 20.0


def today() -> date:
    return datetime.now(ZoneInfo("Europe/Oslo")).date()


def day(offset: int) -> str:
    """The date so many days after today, as the messages want it."""
    return (today() + timedelta(days=offset)).isoformat()


def message_id(at_ms: int | None = None) -> str:
    """A UUID version 7."""
    at_ms = int(time.time() * 1000) if at_ms is None else at_ms
    raw = bytearray(at_ms.to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def moved(value):
    """The value with every date moved as far as today is from the samples' day."""
    if isinstance(value, dict):
        return {key: moved(part) for key, part in value.items()}
    if isinstance(value, list):
        return [moved(part) for part in value]
    if isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-":
        return day((date.fromisoformat(value) - SAMPLE_DAY).days)
    return value


def sample(name: str) -> dict:
    return moved(SAMPLES[name])


class Refusal(Exception):
    """A call that the gateway refused, with what the details of its status say."""

    def __init__(self, error: grpc.RpcError):
        self.code = error.code()
        self.text = error.details() or ""
        self.reason, self.domain, self.fields, self.retry = None, None, {}, None
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
                if detail.Is(kind.DESCRIPTOR):
                    part = kind()
                    detail.Unpack(part)
                    self.take(part)
        super().__init__(f"{self.code.name} {self.reason} {self.fields} {self.text}")

    def take(self, part) -> None:
        if isinstance(part, error_details_pb2.ErrorInfo):
            self.reason, self.domain = part.reason, part.domain
        elif isinstance(part, error_details_pb2.BadRequest):
            self.fields = {violation.field: violation.reason or violation.description for violation in part.field_violations}
        else:
            self.retry = part.retry_delay.ToTimedelta().total_seconds()


def checked(call, *args, **kwargs):
    """The answer of a call, or the Refusal."""
    try:
        return call(*args, **{"timeout": DEADLINE, **kwargs})
    except grpc.RpcError as error:
        raise Refusal(error) from None


def streamed(call, request, timeout: float = DEADLINE) -> list:
    """All items of a stream that ends."""
    try:
        return list(call(request, timeout=timeout))
    except grpc.RpcError as error:
        raise Refusal(error) from None


def free_ports() -> int:
    """A port that is free, as are the next two, which the program's other listeners take. Below those that Linux gives to clients: it may have to
    be taken again by a start later on."""
    while True:
        port = random.randrange(20000, 32000, 3)
        try:
            for next_to in range(3):
                with socket.socket() as free:
                    free.bind(("127.0.0.1", port + next_to))
            return port
        except OSError:
            continue


class Gateway:
    """The real program in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_ports()
        self.log = folder / "gateway.log"
        self.process = None
        self.is_child = False

    def prepare(self, **settings) -> None:
        """Makes certificates, keys and a configuration with these settings, and no store: that is left to the first start."""
        self.start()
        self.wait_until_serving()
        self.stop()
        shutil.rmtree(self.folder / "data")
        (self.folder / "high-water").unlink()
        file = self.folder / "samband.toml"
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        file.write_text("\n".join([*lines, file.read_text(encoding="utf-8")]), encoding="utf-8")

    def start(self, under: list[str] | None = None) -> None:
        """Starts the program, as the child of another one if that is given."""
        command = [*(under or []), str(BINARY), "serve", "--dev", "--dir", str(self.folder), "--listen", f"127.0.0.1:{self.port}"]
        self.is_child = bool(under)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def pid(self) -> int | None:
        """The program's own process, once it is there."""
        if not self.is_child:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return int(children.read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None

    @contextmanager
    def held_still(self):
        """The process does nothing meanwhile, so that its folder can be copied as a snapshot of the file system would have it."""
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            end, stopped = time.monotonic() + 10, 0
            # Under strace a stopped thread looks as one at a system call does, so it is looked at more than once.
            while stopped < 3:
                states = [re.search(r"^State:\s+(\w)", path.read_text(), re.MULTILINE) for path in Path(f"/proc/{pid}/task").glob("*/status")]
                stopped = stopped + 1 if all(state and state[1] in "Tt" for state in states) else 0
                if time.monotonic() > end:
                    raise RuntimeError("the gateway does not hold still")
                time.sleep(0.02)
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def wait_until_serving(self, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the gateway ended with {self.process.returncode}: {self.tail()}")
            # On its first start the gateway makes its certificates, then its keys.
            if (self.folder / "log.vkey").exists() and (self.certs() / "participants.toml").exists():
                try:
                    with Party(self, "tilsyn") as auditor:
                        auditor.call("AuditService", "GetCheckpoint", timeout=2)
                    return
                except Refusal as refusal:
                    if refusal.code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                        raise
            time.sleep(0.05)
        raise RuntimeError(f"the gateway does not serve after {seconds} s: {self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def signal(self, which: int) -> None:
        try:
            while self.process.poll() is None and (pid := self.pid()) is None:
                time.sleep(0.005)
            if self.process.poll() is None:
                os.kill(pid, which)
        except ProcessLookupError:
            pass

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Asks it to end and gives its exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the gateway does not stop: {self.tail()}") from None

    def certs(self) -> Path:
        return self.folder / "certs-dev"

    def vkey(self) -> str:
        return (self.folder / "log.vkey").read_text(encoding="utf-8").strip()

    def register(self) -> dict:
        text = (self.certs() / "participants.toml").read_text(encoding="utf-8")
        (entries,) = (value for value in tomllib.loads(text).values() if isinstance(value, list))
        return {entry["id"]: entry for entry in entries}

    def contact(self, prosecution: str) -> str:
        """The key of a contact that the prosecution's notices may name."""
        return self.register()[prosecution]["contacts"][0]["key"]


SERVICES = {
    "ProsecutionService": (prosecution_pb2, prosecution_pb2_grpc.ProsecutionServiceStub),
    "MunicipalService": (municipal_pb2, municipal_pb2_grpc.MunicipalServiceStub),
    "LaboratoryService": (laboratory_pb2, laboratory_pb2_grpc.LaboratoryServiceStub),
    "AuditService": (audit_pb2, audit_pb2_grpc.AuditServiceStub),
}
PREFIXES = (("politi-", "ProsecutionService"), ("ru-", "MunicipalService"), ("lab-", "LaboratoryService"), ("tilsyn", "AuditService"))
SEND = {"ProsecutionService": "SendConditionNotice", "MunicipalService": "ReportNonAttendance", "LaboratoryService": "SendLabResult"}
CONTENT = {
    "ProsecutionService": messages_pb2.ConditionNotice,
    "MunicipalService": messages_pb2.NonAttendanceReport,
    "LaboratoryService": messages_pb2.LabResult,
}


def methods(service: str):
    """Descriptors of a service's calls."""
    return SERVICES[service][0].DESCRIPTOR.services_by_name[service].methods


def request_type(service: str, method: str):
    # The message may stand in another file than its service.
    return GetMessageClass(SERVICES[service][0].DESCRIPTOR.services_by_name[service].methods_by_name[method].input_type)


class Party:
    """A participant with its certificate and one connection."""

    def __init__(self, gateway: Gateway, name: str, identity: bool = True):
        self.name = name
        self.service = next(service for prefix, service in PREFIXES if name.startswith(prefix))
        read = lambda *parts: gateway.certs().joinpath(*parts).read_bytes()  # noqa: E731
        own = {"private_key": read(name, "key.pem"), "certificate_chain": read(name, "cert.pem")} if identity else {}
        credentials = grpc.ssl_channel_credentials(root_certificates=read("ca.pem"), **own)
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 200)]
        self.channel = grpc.secure_channel(f"localhost:{gateway.port}", credentials, options=options)
        self.gateway = gateway

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def stub(self, service: str | None = None):
        return SERVICES[service or self.service][1](self.channel)

    def call(self, service: str, method: str, request=None, **kwargs):
        """Any call of any service, also those that the role does not have. A stream is read to its end."""
        request = request_type(service, method)() if request is None else request
        bound = getattr(self.stub(service), method)
        if SERVICES[service][0].DESCRIPTOR.services_by_name[service].methods_by_name[method].server_streaming:
            return streamed(bound, request, **kwargs)
        return checked(bound, request, **kwargs)

    def own(self, method: str, **fields):
        """A call of the own service, by its fields."""
        return self.call(self.service, method, request_type(self.service, method)(**fields))

    def raw(self, service: str, method: str, data: bytes) -> bytes:
        """Bytes as they are."""
        call = self.channel.unary_unary(f"/samband.v1.{service}/{method}", request_serializer=bytes, response_deserializer=bytes)
        return checked(call, data)

    def request(self, content: dict | None = None, *, withdrawal: int | None = None, replaces: str | None = None, **fields):
        """A request to send content, or a withdrawal, with a fresh id and salt."""
        request = request_type(self.service, SEND[self.service])(message_id=message_id(), content_salt=os.urandom(32))
        if content is not None:
            json_format.ParseDict(content, request.content)
        if withdrawal is not None:
            request.withdrawal = withdrawal
        if replaces is not None:
            request.replaces = replaces
        for name, value in fields.items():
            setattr(request, name, value)
        return request

    def send(self, request):
        """Sends a request of the own service's kind; the answer's accepted or validated part."""
        answer = self.call(self.service, SEND[self.service], request)
        return getattr(answer, answer.WhichOneof("outcome"))

    def receive(self, reader: str = "main", max_items: int = 0) -> list:
        return self.own("Receive", reader_id=reader, max_items=max_items, until_empty=True)

    def acknowledge(self, *items) -> None:
        self.own("Acknowledge", item_numbers=[item.item_number for item in items])

    def take(self, reader: str = "main") -> list:
        """Receives and acknowledges everything."""
        items = self.receive(reader)
        if items:
            self.acknowledge(*items)
        return items

    def notice(self, name: str = "notice-both", **fields) -> dict:
        """A sample notice that names a contact of this prosecution."""
        return {**sample(name), "contact": self.gateway.contact(self.name), **fields}


class Patient(Party):
    """Waits when it is told to wait, as a client should; a refusal for the rate that does not say how long stays one."""

    def call(self, service: str, method: str, request=None, **kwargs):
        for _ in range(5):
            try:
                return super().call(service, method, request, **kwargs)
            except Refusal as refusal:
                if refusal.reason != "RATE_LIMITED" or refusal.retry is None:
                    raise
                time.sleep(refusal.retry)
        return super().call(service, method, request, **kwargs)


def report(case_ref: str, *, missed: str = "MISSED_APPOINTMENT_CONVERSATION", summoned: int = -10, absent: int = -3) -> dict:
    return {"case_ref": case_ref, "missed": missed, "summons_dates": [day(summoned)], "missed_dates": [day(absent)]}


def result(requisition_id: str, label: str, name: str = "result") -> dict:
    content = {**sample(name), "requisition_id": requisition_id}
    content["sample"]["label"] = label
    return content


__all__ = [
    "BINARY", "CONTENT", "Gateway", "PREFIXES", "Party", "Patient", "ROOT", "Refusal", "SEND", "SERVICES", "audit_pb2", "checked", "common_pb2", "day",
    "laboratory_pb2", "message_id", "messages_pb2", "methods", "municipal_pb2", "prosecution_pb2", "report", "request_type", "result", "sample",
    "streamed",
]  # fmt: skip
