"""The soak can fail: what it judges by, broken by hand, is found."""

import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import authority
import soak as soaking
from clients import History
from soak import Sample, Soak


def soak(samples: list[Sample], seconds: float = 600.0) -> Soak:
    made = Soak(SimpleNamespace(), History(), seconds)
    made.samples = samples
    return made


def samples(rss=lambda at: 100 << 20, descriptors=lambda at: 25, process=lambda at: 1, receipts=lambda at: int(10 * at)) -> list[Sample]:
    return [Sample(float(at), int(rss(at)), int(descriptors(at)), 8, receipts(at), process(at)) for at in range(600)]


class Judged(unittest.TestCase):
    def losses(self, found: list[Sample], seconds: float = 600.0) -> list[str]:
        made = soak(found, seconds)
        soaking.judge(made, 0.25, 0.65)
        return made.history.losses

    def test_flat_is_flat(self):
        self.assertEqual(self.losses(samples()), [])

    def test_memory_that_rises_is_found(self):
        (loss,) = self.losses(samples(rss=lambda at: (100 << 20) + at * (100 << 10)))
        self.assertIn("memory rises", loss)

    def test_what_messages_may_keep_is_allowed(self):
        self.assertEqual(self.losses(samples(rss=lambda at: (100 << 20) + at * 10 * 400)), [])

    def test_descriptors_that_rise_are_found(self):
        (loss,) = self.losses(samples(descriptors=lambda at: 25 + at / 20))
        self.assertIn("file descriptors rise", loss)

    def test_a_restart_in_the_steady_part_is_found(self):
        (loss,) = self.losses(samples(process=lambda at: at // 300))
        self.assertIn("not one process", loss)

    def test_a_gateway_that_takes_nothing_is_found(self):
        (loss,) = self.losses(samples(receipts=lambda at: 7))
        self.assertIn("no message", loss)

    def test_memory_of_a_short_run_is_not_judged_and_says_so(self):
        made = soak(samples(rss=lambda at: (100 << 20) + at * (1 << 20)), 60.0)
        soaking.judge(made, 0.25, 0.65)
        self.assertEqual(made.history.losses, [])
        self.assertIn("too short", made.figures["memory, steady part"])


class Changed(unittest.TestCase):
    def test_keys_come_into_the_register_and_go_out_of_it(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "participants.toml"
            file.write_text('[[participant]]\nid = "a"\n\n[[participant.keys]]\nhash = "sha256:1"\nlabel = "dev"\n\n[[participant.contacts]]\nkey = "x"\n', encoding="utf-8")
            register = authority.Register(file)
            register.add_key("sha256:1", "sha256:2", "soak")
            self.assertEqual(register.text().count("[[participant.keys]]"), 2)
            register.remove_key("sha256:1")
            self.assertNotIn("sha256:1", register.text())
            self.assertIn('hash = "sha256:2"\nlabel = "soak"', register.text())
            register.touch()
            register.touch()
            self.assertEqual(register.text().count("# touched"), 1)


if __name__ == "__main__":
    unittest.main()
