"""The gateway and witnesses, as real processes: aics-witness from PyPI, one behind TLS, one that lies and one that is silent.

    witness.py <samband> <aics-witness>

Shows that cosignatures come and hold, that bad witnesses are shown and stop nothing, that a restored copy is refused because a witness saw
more, that witnesses out of reach keep nobody from starting, and that `audit watch` cries at a fork and at a stall.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SAMBAND, AICS = sys.argv[1:3]
ORIGIN = "localhost/samband-dev"

# The sections of a report: the prepared questions, holds, and what was checked.
REPORTED = [
    "Has a result ever reached anyone but its requisitioner?",
    "Who tried what was forbidden?",
    "What is overdue?",
    "What was corrected, withdrawn or returned?",
    "What was erased, and when?",
    "Who read the log?",
    "Which cases are under legal hold?",
    "What was checked",
]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def demand(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


class Process:
    """A process that ends with the block it was started in."""

    def __init__(self, *command: str, ready: str) -> None:
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.first = ""
        if ready:
            self.first = self.process.stdout.readline()
            if ready not in self.first:
                self.process.wait(20)
                raise SystemExit(f"{command}: did not start: {self.first} {self.errors()}")

    def errors(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(30)
        self.process.stdout.close()


class Witness:
    """An aics-witness of its own folder."""

    def __init__(self, root: Path, name: str, log_key: str) -> None:
        self.port = free_port()
        self.config = root / f"{name}.json"
        root.mkdir(exist_ok=True)
        init = ("init", "--name", f"witness.test/{name}", "--listen", f"127.0.0.1:{self.port}")
        out = self.run(*init, "--db", f"{name}.db", "--key-file", f"{name}.key")
        self.vkey = next(word for line in out.splitlines() for word in line.split() if word.startswith(f"witness.test/{name}+"))
        self.run("add-log", "--origin", ORIGIN, "--vkey", log_key)

    def run(self, command: str, *arguments: str) -> str:
        done = subprocess.run([AICS, command, "-c", self.config, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"aics-witness {command}: {done.stderr}")
        return done.stdout

    def serve(self) -> Process:
        process = Process(AICS, "serve", "-c", str(self.config), ready="")
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return process
            time.sleep(0.1)
        raise SystemExit(f"aics-witness does not listen: {process.errors()}")


def relay(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def tls_in_front(port: int, certificate: Path, key: Path) -> int:
    """Ends TLS in front of a witness; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            raw, _ = listener.accept()
            with contextlib.suppress(OSError):
                client = context.wrap_socket(raw, server_side=True)
                behind = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=relay, args=(client, behind), daemon=True).start()
                threading.Thread(target=relay, args=(behind, client), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def answering(answer: bytes | None) -> int:
    """A witness that answers anything with the same bytes, or never; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            if answer is None:
                held.append(client)
                continue
            with contextlib.suppress(OSError), client:
                client.recv(65536)
                client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class Gateway:
    """A development gateway and its auditor."""

    def __init__(self, root: Path) -> None:
        self.home = root / "dev"
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        with Process(SAMBAND, "serve", "--dev", "--dir", str(self.home), "--listen", f"127.0.0.1:{self.port}", "--json", ready="listening") as first:
            self.log_key = json.loads(first.first)["log_key"]
        self.vkey = self.home / "log.vkey"

    def serve(self) -> Process:
        return Process(SAMBAND, "serve", "--config", str(self.home / "samband.toml"), "--json", ready="listening")

    def refused(self) -> tuple[int, str]:
        """A start that must fail: its exit code and what it said."""
        done = subprocess.run([SAMBAND, "serve", "--config", self.home / "samband.toml"], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    def audit(self, *arguments: str) -> subprocess.CompletedProcess:
        identity = ("--identity", str(self.home / "certs-dev/tilsyn"), "--gateway", self.url)
        return subprocess.run([SAMBAND, "audit", *arguments, *identity], capture_output=True, text=True, timeout=120)

    def head(self) -> dict:
        done = self.audit("checkpoint", "--json")
        if done.returncode:
            raise SystemExit(f"audit checkpoint: {done.stderr}")
        return json.loads(done.stdout)

    def with_policy(self, lines: list[str], cas: list[str]) -> Path:
        policy = self.home / "witnesses.policy"
        policy.write_text("".join(f"{line}\n" for line in lines))
        config = self.home / "samband.toml"
        base = config.read_text().split("\n[witnesses]")[0]
        config.write_text(f'{base}\n[witnesses]\npolicy_file = "witnesses.policy"\nca_files = {json.dumps(cas)}\nsubmit_every_s = 1\n')
        return policy


def until(what: str, holds, seconds: float = 30) -> None:
    """Waits for something."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: {what} (waited {seconds:.0f} s)")
        time.sleep(0.5)
    print(f"ok: {what}", flush=True)


def statuses(gateway: Gateway) -> dict[str, str]:
    return {witness["name"]: witness["status"] for witness in gateway.head()["witnesses"]}


def cosigned(gateway: Gateway, policy: Path, root: Path) -> None:
    """Good, bad and silent witnesses under one policy."""
    w1, w2 = (Witness(root / "witnesses", name, gateway.log_key) for name in ("w1", "w2"))
    stranger = Witness(root / "witnesses", "w9", gateway.log_key)
    dev = gateway.home / "certs-dev"
    tls_port = tls_in_front(w2.port, dev / "gateway/cert.pem", dev / "gateway/key.pem")
    liar = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\ngarbage\n")
    silent = answering(None)
    keys = [Witness(root / "witnesses", name, gateway.log_key).vkey for name in ("w3", "w4", "w5")]
    gateway.with_policy(
        [
            f"log {gateway.log_key}",
            f"witness one {w1.vkey} http://127.0.0.1:{w1.port}",
            f"witness two {w2.vkey} https://localhost:{tls_port}/",
            f"witness liar {keys[0]} http://127.0.0.1:{liar}",
            f"witness silent {keys[1]} http://127.0.0.1:{silent}",
            f"witness down {keys[2]} http://127.0.0.1:{free_port()}",
            "group all-good 2 one two liar silent down",
            "quorum all-good",
        ],
        ["certs-dev/ca.pem"],
    )
    with w1.serve(), w2.serve():
        begun = time.monotonic()
        with gateway.serve() as running:
            took = time.monotonic() - begun
            demand(took < 20, f"silent and absent witnesses hold the start up for {took:.1f} s only")
            demand("goes on without its word" in running.errors(), "and the log names those that did not say how far they saw")
            vkey = ("--vkey", str(gateway.vkey))
            until("the quorum cosigned", lambda: gateway.audit("checkpoint", *vkey, "--policy", str(policy)).returncode == 0)
            said = statuses(gateway)
            demand(said["one"] == "cosigned" and said["two"] == "cosigned", "both good ones are shown as such, one of them over TLS")
            until("the liar is shown", lambda: "no cosignature of its key" in statuses(gateway)["liar"])
            until("the silent one is shown", lambda: "did not answer in time" in statuses(gateway)["silent"])
            until("the absent one is shown", lambda: "cannot be reached" in statuses(gateway)["down"])
            out = root / "today.cosigned"
            gateway.audit("checkpoint", "--cosigned-out", str(out))
            text = out.read_text()
            demand(text.count("\n\u2014 ") == 3, "the cosigned head has the log's signature and two cosignatures")
            check_by_another(text, gateway.log_key, [w1.vkey, w2.vkey])
            other = root / "other.policy"
            other.write_text(f"witness nine {stranger.vkey}\nquorum nine\n")
            failed = gateway.audit("checkpoint", *vkey, "--policy", str(other))
            demand(failed.returncode == 1 and "quorum" in failed.stderr, "a policy of another witness is not met")
            bundles(gateway, policy, root)
            copy = root / "copy"
            shutil.copytree(gateway.home / "data", copy / "data")
            shutil.copy(gateway.home / "high-water", copy / "high-water")
            for _ in range(5):
                gateway.head()
            grown = int(gateway.head()["checkpoint"].split("\n")[1])

            def seen() -> int:
                return max(int(witness.get("known_size", 0)) for witness in gateway.head()["witnesses"])

            until("the witnesses saw the log grow", lambda: seen() >= grown)
        shutil.rmtree(gateway.home / "data")
        shutil.copytree(copy / "data", gateway.home / "data")
        shutil.copy(copy / "high-water", gateway.home / "high-water")
        code, said = gateway.refused()
        demand(code == 78 and "has seen" in said and "restored from an old copy" in said, f"a restored copy is refused: {said.strip()}")
        evidence = [json.loads(w.run("evidence") or "[]") for w in (w1, w2)]
        demand(all(not kept for kept in evidence), "and no witness was ever shown a fork")
    with gateway.serve() as running:
        demand("goes on without its word" in running.errors(), "with all witnesses out of reach it says so and goes on")


def bundles(gateway: Gateway, policy: Path, root: Path) -> None:
    """An export under witnesses, checked by us and by others, and refused when it is tampered with."""
    bundle, vkey = root / "all.tar", ("--vkey", str(gateway.vkey))
    done = gateway.audit("export", *vkey, "--policy", str(policy), "--out", str(bundle))
    demand(done.returncode == 0 and "entries a second" in done.stdout, f"an export: {done.stdout.strip()}{done.stderr}")
    verify = [SAMBAND, "audit", "verify", str(bundle)]
    alone = subprocess.run(verify, capture_output=True, text=True)
    demand(alone.returncode == 0 and "compare it with the one you know" in alone.stdout, f"it verifies with nothing else: {alone.stdout.strip()}")
    witnessed = subprocess.run([*verify, *vkey, "--policy", str(policy), "--json"], capture_output=True, text=True)
    demand(sorted(json.loads(witnessed.stdout)["witnesses"]) == ["one", "two"], "and with the quorum of witnesses")
    other = Path(__file__).resolve().parents[1] / "independent/bundle.py"
    checked = subprocess.run([sys.executable, other, bundle, gateway.vkey], capture_output=True, text=True)
    demand(checked.returncode == 0, f"software of others verifies it: {checked.stdout.strip()}{checked.stderr.strip()}")
    page = root / "all.html"
    report = subprocess.run([SAMBAND, "audit", "report", bundle, *vkey, "--out", page], capture_output=True, text=True)
    html = page.read_text() if page.exists() else ""
    demand(report.returncode == 0 and "<script" not in html, f"a report: {report.stdout.strip()}{report.stderr}")
    titles = re.findall(r"<section>\n<h2>([^<]*)</h2>", html)
    demand(titles == REPORTED and html.count("<section>") == len(titles), f"its sections: {titles}")
    data = bytearray(bundle.read_bytes())
    at = data.rindex(b" open ") + 60
    data[at] ^= 1
    bad = root / "bad.tar"
    bad.write_bytes(bytes(data))
    ours = subprocess.run([SAMBAND, "audit", "verify", bad], capture_output=True, text=True)
    theirs = subprocess.run([sys.executable, other, bad, gateway.vkey], capture_output=True, text=True)
    demand(ours.returncode == 1 and theirs.returncode == 1, f"both refuse a changed opening: {ours.stderr.strip()}")


def check_by_another(text: str, log_key: str, witnesses: list[str]) -> None:
    import aics_tlog

    keys = [aics_tlog.parse_vkey(vkey) for vkey in witnesses]
    note = aics_tlog.parse_note(text)
    verdict = aics_tlog.verify_checkpoint(note, aics_tlog.parse_vkey(log_key), keys, len(keys), expected_origin=ORIGIN, max_age_seconds=300)
    demand(verdict.ok, f"aics-tlog verifies the log's signature and {len(keys)} fresh cosignatures")


def watched(root: Path) -> None:
    """`audit watch` against a log that grows, forks and stalls."""
    gateway = Gateway(root)
    mark, alarm = root / "watch.checkpoint", root / "alarm"
    watch = ("watch", "--vkey", str(gateway.vkey), "--mark", str(mark), "--on-alarm", f'echo "$SAMBAND_ALARM_KIND" >>{alarm}')
    with gateway.serve():
        for _ in range(3):
            done = gateway.audit(*watch, "--once")
            demand(done.returncode == 0 and "consistent" in done.stdout, f"the watch follows: {done.stdout.strip()}")
    kept = mark.read_text()
    for name in ("data", "high-water"):
        path = gateway.home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with gateway.serve():
        done = gateway.audit(*watch, "--once")
        demand(done.returncode == 1 and "FORK" in done.stderr, f"a log that went back: {done.stderr.strip()}")
        while int(gateway.head()["checkpoint"].split("\n")[1]) <= int(kept.split("\n")[1]) + 2:
            pass
        done = gateway.audit(*watch, "--once")
        demand(done.returncode == 1 and "does not continue" in done.stderr, f"a fork that grew larger: {done.stderr.strip()}")
        demand(mark.read_text() == kept, "the mark stays where it was")
        forks = [path.read_text() for path in mark.parent.glob(f"{mark.name}.fork-*")]
        demand(len(forks) == 2, f"both contradicting heads are kept as evidence: {len(forks)}")
        demand(all(fork.split("\n")[0] == kept.split("\n")[0] and fork != kept for fork in forks), "they are heads of the same log")
        mark.unlink()
    with gateway.serve() as running:
        demand(gateway.audit(*watch, "--once").returncode == 0, "a new watch begins anew")
        running.process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        done = gateway.audit(*watch, "--every", "1", "--stall-after", "3")
        took = time.monotonic() - begun
        demand(done.returncode == 1 and "STALL" in done.stderr, f"a gateway that hangs, after {took:.0f} s: {done.stderr.strip().splitlines()[-1]}")
    # By a scheduler, while nobody listens: the time since the mark was written counts.
    done = gateway.audit(*watch, "--once", "--stall-after", "3600")
    demand(done.returncode not in (0, 1) and "STALL" not in done.stderr, f"a gateway that is away is no stall yet: {done.stderr.strip()}")
    time.sleep(1)
    done = gateway.audit(*watch, "--once", "--stall-after", "1")
    demand(done.returncode == 1 and "STALL" in done.stderr, f"a gateway that stays away, found by single rounds: {done.stderr.strip().splitlines()[-1]}")
    demand(alarm.read_text().split() == ["FORK", "FORK", "STALL", "STALL"], "the alarm's command was run each time")


def main() -> None:
    os.environ.pop("SAMBAND_GATEWAY", None)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        gateway = Gateway(root / "one")
        cosigned(gateway, gateway.home / "witnesses.policy", root / "one")
        watched(root / "two")
    print("witnesses and watch verify")


if __name__ == "__main__":
    main()
