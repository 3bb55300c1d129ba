"""Clients of the kill test that go on: paced, and connecting again for as long as they run."""

import random
import threading
import time
from collections import deque

import kill
from client import Gateway, Patient, Refusal

# Cases that the load works on once they are there; a case is remembered until its probation is long over, so their number decides the memory.
CASES = 150
# Messages of the recent past that corrections, retries and reports are made of.
RECENT = 400
TIMES_KEPT = 20_000


class History(kill.History):
    """The same, with what a long run must find without searching everything."""

    def __init__(self):
        super().__init__()
        self.open: dict[str, kill.Sent] = {}
        self.recent: dict[tuple[str, str], deque] = {}
        self.times: deque = deque(maxlen=TIMES_KEPT)
        self.cases = 0
        self.tokens_of_reports: set[str] = set()

    def unanswered(self, party: str):
        with self.lock:
            sent = self.open.get(party)
            return sent if sent is not None and sent.accepted is None and sent.refused is None else None

    def pick(self, rng: random.Random, party: str, kind: str, test):
        with self.lock:
            found = [sent for sent in self.recent.get((party, kind), ()) if sent.accepted is not None and test(sent)]
        return rng.choice(found) if found else None


class Client(kill.Client):
    """A participant that connects again until it is told to stop."""

    def __init__(self, gateway: Gateway, name: str, history: History, seed: int, stop: threading.Event, pace: float):
        super().__init__(gateway, name, history, seed, stop)
        self.gateway, self.pace = gateway, pace
        self.connect()
        self.renewed = threading.Event()
        self.renew = False

    def run(self) -> None:
        while not self.stop.wait(self.pace * self.rng.uniform(0.5, 1.5)):
            try:
                if self.renew:
                    self.connect()
                    self.renew = False
                    self.renewed.set()
                self.step()
            except Refusal as refusal:
                if not kill.is_open(refusal):
                    self.history.lose(f"{self.who}: {refusal}")
                with self.history.lock:
                    self.history.counts["tried again"] += 1
                self.stop.wait(0.3)
                self.connect()
            except Exception as error:  # a client that falls out of the test must not make it pass
                self.history.lose(f"{self.who}: {type(error).__name__}: {error}")
                self.stop.wait(1.0)
        self.party.channel.close()

    def connect(self) -> None:
        self.party.channel.close()
        self.party = Patient(self.gateway, self.who)

    def write_down(self, kind: str, request, token: str, old=None):
        sent = super().write_down(kind, request, token, old)
        with self.history.lock:
            self.history.open[self.who] = sent
            self.history.recent.setdefault((self.who, kind), deque(maxlen=RECENT)).append(sent)
        return sent

    def deliver(self, sent) -> None:
        begun = time.monotonic()
        super().deliver(sent)
        with self.history.lock:
            self.history.times.append((begun, time.monotonic() - begun))

    def police(self) -> None:
        with self.history.lock:
            is_full = self.history.cases >= CASES
        if not is_full or self.rng.random() < 0.02:
            with self.history.lock:
                self.history.cases += 1
            return super().police()
        return self.fetch()

    def unit(self) -> None:
        if self.rng.random() < 0.7:
            return self.fetch()
        with self.history.lock:
            mine = {item.token for (who, _), item in self.history.items.items() if who == self.who and item.acknowledged and item.token}
            notices = [sent for (_, kind), recent in self.history.recent.items() if kind == "notice" for sent in recent]
            cases = [sent.accepted.case_ref for sent in notices if sent.token in mine and sent.accepted and not sent.may_stay_unseen]
        if not cases:
            return self.fetch()
        absent = -self.rng.randint(1, 9)
        content = kill.report(self.rng.choice(cases), summoned=-10, absent=absent)
        token = f"{content['case_ref']} {kill.day(absent)}"
        with self.history.lock:
            if token in self.history.tokens_of_reports:
                return None
            self.history.tokens_of_reports.add(token)
        return self.deliver(self.write_down("report", self.party.request(content), token))

    def laboratory(self) -> None:
        with self.history.lock:
            notices = [sent for (_, kind), recent in self.history.recent.items() if kind == "notice" for sent in recent]
            notices = [sent for sent in notices if sent.accepted and not sent.may_stay_unseen]
        if not notices:
            return time.sleep(0.05)
        label = self.token()
        old = self.history.pick(self.rng, self.who, "result", lambda sent: not sent.may_stay_unseen) if self.rng.random() < 0.1 else None
        if old:
            content = kill.result(old.request.content.requisition_id, old.request.content.sample.label, "result-corrected")
            content["urine_validity"]["ph"] = f"6.{self.rng.randrange(10**6):06}"
            token = f"{old.request.content.sample.label} {content['urine_validity']['ph']}"
            return self.deliver(self.write_down("result", self.party.request(content, replaces=old.request.message_id), token, old))
        content = kill.result(self.rng.choice(notices).accepted.requisition_id, label)
        token = f"{label} {content['urine_validity']['ph']}"
        return self.deliver(self.write_down("result", self.party.request(content), token))


class Load:
    """All clients at work until `end`."""

    def __init__(self, gateway: Gateway, history: History, rng: random.Random, pace: float):
        self.history, self.stop = history, threading.Event()
        self.clients = {name: Client(gateway, name, history, rng.randrange(2**32), self.stop, pace) for name in kill.NAMES}
        for client in self.clients.values():
            client.start()

    def end(self) -> None:
        self.stop.set()
        for client in self.clients.values():
            client.join(timeout=60)
            if client.is_alive():
                self.history.lose(f"{client.who}: hangs")
