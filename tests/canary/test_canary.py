"""The canary's search finds what it looks for, in every form, in files and in memory."""

import base64
import os
import random
import subprocess
import sys
import unittest

import marks
from marks import Marks, Memory, hits, needles


class Search(unittest.TestCase):
    def setUp(self):
        self.marks = Marks(random.Random(7))
        self.number, self.name = self.marks.number(), self.marks.name("family name")
        self.wanted = needles(self.marks.values)

    def found(self, data: bytes) -> bool:
        return bool(hits(b"before " + data + b" after", self.wanted))

    def test_values_are_found_as_they_are_and_in_other_spellings(self):
        for value in (self.number, self.name):
            raw = value.encode()
            self.assertTrue(self.found(raw))
            self.assertTrue(self.found(value.encode("utf-16-le")))
            self.assertTrue(self.found(raw.hex().encode()))
            self.assertTrue(self.found(raw[::-1]))
            self.assertTrue(self.found(str(list(raw))[1:-1].encode()))
            for before in range(6):
                padded = b"x" * before + raw + b"and what follows"
                self.assertTrue(self.found(base64.b64encode(padded)), (value, before))
                self.assertTrue(self.found(base64.urlsafe_b64encode(padded)), (value, before))
        self.assertTrue(self.found(bytes(map(int, self.number))))

    def test_hashes_of_values_are_found(self):
        for name in ("md5", "sha256", "sha512"):
            digest = marks.hashlib.new(name, self.number.encode())
            self.assertTrue(self.found(digest.digest()))
            self.assertTrue(self.found(digest.hexdigest().encode()))

    def test_others_are_not_found(self):
        self.assertFalse(self.found(os.urandom(200_000)))
        self.assertFalse(self.found(marks.identity_number(random.Random(8)).encode()))

    def test_identity_numbers_are_synthetic_and_fit_their_check_digits(self):
        for seed in range(200):
            number = marks.identity_number(random.Random(seed), is_d_number=seed % 2 == 1)
            self.assertTrue(81 <= int(number[2:4]) <= 92)
            digits = list(map(int, number))
            for weights in (marks.K1, marks.K2):
                self.assertEqual((sum(w * d for w, d in zip(weights, digits)) + digits[len(weights)]) % 11, 0)

    def test_memory_of_another_process_is_searched(self):
        program = "import sys; kept = bytes(map(int, sys.argv[1].split(','))); print('ready', flush=True); sys.stdin.read()"
        secret = self.name.encode()
        # The argument is written otherwise, so that only what the process made of it is found.
        spelled = ",".join(map(str, secret))
        with subprocess.Popen([sys.executable, "-c", program, spelled], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            try:
                found, size = Memory(process.pid).search({secret: "the name"}, {"in UTF-16": self.name.encode("utf-16-le")})
            except PermissionError:
                self.skipTest("this process may not trace another")
            finally:
                process.stdin.close()
        self.assertGreater(size, 1 << 20)
        self.assertTrue(any(name.startswith("the name in ") for name in found), found)
        self.assertFalse(any(name.startswith("in UTF-16") for name in found), found)


if __name__ == "__main__":
    unittest.main()
