"""The kill test can fail: each promise, broken by hand in a small history, is found."""

import threading
import unittest
from types import SimpleNamespace

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


if __name__ == "__main__":
    unittest.main()
