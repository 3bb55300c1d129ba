"""The kill test can fail: each promise, broken by hand in a small history, is found."""

import re
import signal
import tempfile
import threading
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import kill  # first: it makes the client's folder known
import client
import points
from client import Refusal
from evidence import Head
from kill import Client, History, Item, Sent, check_delivery


class Content:
    """Stands for a message."""

    def __init__(self, data: bytes):
        self.data = data

    def SerializeToString(self, deterministic: bool) -> bytes:  # noqa: N802
        assert deterministic
        return self.data


def accepted_notice(history: History, token: str = "T-1") -> Sent:
    request = SimpleNamespace(message_id="m-" + token, content=Content(b"content"))
    sent = Sent("politi-oslo", request, "notice", token, accepted=SimpleNamespace(receipt=b"receipt"))
    history.sent.append(sent)
    return sent


def delivered(history: History, number: int = 2, token: str = "T-1", content: bytes = b"content") -> None:
    history.items["ru-oslo", number] = Item(token, content)


def receiver(history: History) -> Client:
    client = Client.__new__(Client)
    client.who, client.history = "ru-oslo", history
    return client


def item(number: int = 2, kind: str = "withdrawal"):
    return SimpleNamespace(item_number=number, WhichOneof=lambda _: kind)


class Limited(Refusal):
    """A refusal of a call too many."""

    def __init__(self, reason: str, retry: float | None):
        Exception.__init__(self, reason)
        self.reason, self.retry = reason, retry


class Patience(unittest.TestCase):
    """A check that sends thousands of messages again goes beyond the limits of a call rate: a client must wait, and that is no loss."""

    def calls(self, *refusals: Refusal) -> list:
        answers, waited = [*refusals, None], []

        def call(*_, **__):
            if answers[0] is not None:
                raise answers.pop(0)
            return waited

        with mock.patch.object(client.Party, "call", call), mock.patch.object(client.time, "sleep", waited.append):
            return client.Patient.__new__(client.Patient).call("AuditService", "GetCheckpoint")

    def test_it_waits_as_long_as_it_is_told(self):
        self.assertEqual(self.calls(Limited("RATE_LIMITED", 0.002), Limited("RATE_LIMITED", 0.5)), [0.002, 0.5])

    def test_another_refusal_and_one_that_names_no_time_stay_refusals(self):
        for refusal in (Limited("RATE_LIMITED", None), Limited("OVERLOADED", 0.1)):
            with self.assertRaises(Limited):
                self.calls(refusal)

    def test_it_does_not_wait_for_ever(self):
        with self.assertRaises(Limited):
            self.calls(*[Limited("RATE_LIMITED", 0.002)] * 6)


class Holds(unittest.TestCase):
    CASE = "CASE-1"

    def losses(self, known: bool | None, kinds: list[int], listed: list[str], index: int = 0) -> int:
        history = History()
        history.holds[self.CASE] = known
        entries = [SimpleNamespace(record=SimpleNamespace(kind=kind, case_ref=self.CASE)) for kind in kinds]
        kill.check_holds(history, entries, [SimpleNamespace(case_ref=case, index=index) for case in listed])
        return len(history.losses)

    def test_what_the_log_and_the_answers_tell_is_no_loss(self):
        for known in (True, None):
            self.assertEqual(self.losses(known, [63], [self.CASE]), 0)
        for known in (False, None):
            self.assertEqual(self.losses(known, [63, 64], []), 0)

    def test_a_hold_that_is_lost_left_over_or_of_another_entry_is_found(self):
        self.assertEqual(self.losses(True, [63], []), 1)
        self.assertEqual(self.losses(False, [63, 64], [self.CASE]), 1)
        self.assertEqual(self.losses(True, [], []), 1)
        self.assertEqual(self.losses(False, [63], [self.CASE]), 1)
        self.assertEqual(self.losses(True, [10, 63], [self.CASE]), 1)


class Losses(unittest.TestCase):
    def losses(self, history: History) -> list:
        check_delivery(history)
        return history.losses

    def test_a_history_that_keeps_all_promises_has_no_losses(self):
        history = History()
        accepted_notice(history)
        delivered(history)
        self.assertEqual(self.losses(history), [])

    def test_a_message_that_was_never_delivered_is_found_unless_it_was_replaced(self):
        history = History()
        sent = accepted_notice(history)
        self.assertEqual(len(self.losses(history)), 1)
        history.losses.clear()
        sent.may_stay_unseen = True
        self.assertEqual(self.losses(history), [])

    def test_doubled_changed_invented_and_refused_deliveries_are_found(self):
        history = History()
        accepted_notice(history)
        delivered(history)
        delivered(history, number=4)
        self.assertEqual(len(self.losses(history)), 1)
        history = History()
        accepted_notice(history)
        delivered(history, content=b"other")
        self.assertEqual(len(self.losses(history)), 1)
        history = History()
        delivered(history, token="T-2")
        self.assertEqual(len(self.losses(history)), 1)
        history = History()
        sent = accepted_notice(history)
        sent.accepted, sent.refused = None, "REPLACES_SETTLED"
        delivered(history)
        self.assertEqual(len(self.losses(history)), 1)

    def test_an_item_that_comes_back_or_changes_is_found(self):
        history = History()
        client = receiver(history)
        client.got(item())
        client.got(item())
        self.assertEqual(history.losses, [])
        history.items["ru-oslo", 2].acknowledged = True
        client.got(item())
        self.assertEqual(len(history.losses), 1)
        history.items["ru-oslo", 4] = Item("T-1", b"content")
        client.got(item(4))
        self.assertEqual(len(history.losses), 2)

    def test_another_receipt_on_retry_is_found(self):
        history = History()
        sent = accepted_notice(history)
        client = receiver(history)
        client.party = SimpleNamespace(send=lambda _: SimpleNamespace(receipt=b"another"))
        client.deliver(sent)
        self.assertEqual(len(history.losses), 1)

    def test_a_client_that_falls_out_of_the_test_is_found(self):
        history = History()
        client = receiver(history)
        client.stop = threading.Event()
        client.party = SimpleNamespace(channel=SimpleNamespace(close=lambda: None))
        client.step = lambda: 1 / 0
        client.run()
        self.assertEqual(len(history.losses), 1)

    def test_a_fork_is_found(self):
        history = History()
        history.see_head(Head(7, bytes(32)))
        history.see_head(Head(7, bytes(32)))
        self.assertEqual(history.losses, [])
        history.see_head(Head(7, b"\1" * 32))
        self.assertEqual(len(history.losses), 1)


class Dead:
    """A gateway that has ended with a code."""

    def __init__(self, folder: Path, code: int):
        self.folder, self.process = folder, SimpleNamespace(poll=lambda: code, returncode=code)

    def start(self, under) -> None:
        pass

    def wait_until_serving(self, seconds: float) -> None:
        raise RuntimeError("ended")

    def kill(self) -> None:
        pass

    def tail(self) -> str:
        return ""


class Killed(unittest.TestCase):
    def test_an_end_is_a_kill_only_where_it_can_be_one(self):
        lost = "listening\nstrace: ptrace(PTRACE_LISTEN,pid:7,sig:0): Input/output error\n"
        before, after = (next(point for point in points.POINTS if point.after is is_after) for is_after in (False, True))
        for point in (before, after):
            self.assertTrue(kill.is_killed(point, -signal.SIGKILL, "") and kill.is_killed(point, 128 + signal.SIGKILL, ""))
            for code, tail in ((1, ""), (1, f"{lost}samband: damage"), (74, lost), (0, lost)):
                self.assertFalse(kill.is_killed(point, code, tail), (code, tail))
        self.assertTrue(kill.is_killed(after, 1, lost))
        self.assertFalse(kill.is_killed(before, 1, lost))


class Points(unittest.TestCase):
    def data(self) -> Path:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        data = Path(folder.name).resolve() / "data"
        for name in ("journal/000000000007.j", "journal/000000000008.j", "base/000000000003.state", "holds/000000000040-000000000003.rec", "log/checkpoint"):
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).write_text("x\n700\ny\n", encoding="ascii")
        return data

    def test_every_point_has_a_name_of_its_own_and_files(self):
        data = self.data()
        self.assertEqual(len({point.name for point in points.POINTS}), len(points.POINTS))
        for point in points.POINTS:
            files = points.expand(point, data)
            self.assertTrue(files and all(not re.search("[<>]", file) for file in files), point.name)
            self.assertTrue(all(file.startswith(str(data.parent)) for file in files), point.name)

    def test_files_are_those_of_the_next_start(self):
        data = self.data()
        files = lambda template: points.expand(points.Point("x", "openat", template), data)  # noqa: E731
        self.assertEqual(files("journal/<last>.j"), [f"{data}/journal/000000000008.j"])
        self.assertEqual(files("journal/<started>.j"), [f"{data}/journal/000000000009.j"])
        self.assertEqual(files("journal/<next>.j")[0], f"{data}/journal/000000000010.j")
        self.assertEqual(files("journal/<old>.j"), [f"{data}/journal/00000000000{number}.j" for number in (7, 8)])
        self.assertEqual(files("base/<base>.state")[0], f"{data}/base/000000000004.state")
        self.assertEqual(files("holds/<held>"), [f"{data}/holds/000000000040-000000000003.rec"])
        self.assertEqual(files("../high-water.tmp"), [f"{data.parent}/high-water.tmp"])
        self.assertIn(f"{data}/log/tile/entries/002.p/writing.tmp", files("log/tile/<tiles>/writing.tmp"))

    def test_a_process_that_ends_by_itself_at_a_point_is_found(self):
        point = next(point for point in points.POINTS if not point.after)
        for code, losses in ((-signal.SIGKILL, 0), (128 + signal.SIGKILL, 0), (0, 1), (74, 1), (101, 1)):
            history = History()
            self.assertTrue(kill.point_round(Dead(self.data().parent, code), history, kill.random.Random(1), point))
            self.assertEqual(len(history.losses), losses, code)

    def test_a_point_that_never_comes_up_is_found(self):
        history, empty = History(), Path(tempfile.mkdtemp())
        self.addCleanup(empty.rmdir)
        before, points.POINTS = points.POINTS, [points.Point("never", "unlink", "journal/<old>.j")]
        try:
            self.assertEqual(kill.all_points(Dead(empty, 0), history, kill.random.Random(1)), 1)
        finally:
            points.POINTS = before
        self.assertEqual(len(history.losses), 1)


if __name__ == "__main__":
    unittest.main()
