"""What the harness of the system calls takes for a broken promise, and how it reads what strace says."""

import unittest
from pathlib import Path

from syscalls import STORAGE_EXIT, Bench, Point, part_of


def bench() -> Bench:
    made = Bench.__new__(Bench)
    made.folder = Path("/f")
    return made


class Syscalls(unittest.TestCase):
    def test_a_failed_sync_must_end_the_process_in_time_with_the_code_of_storage(self):
        line = "7 100.0 fdatasync(5) = -1 EIO (Input/output error) (INJECTED)\n"
        self.assertEqual(bench().sync_took(line + "7 100.5 +++ exited with 74 +++\n", STORAGE_EXIT), [])
        self.assertEqual(len(bench().sync_took(line + "7 103.0 +++ exited with 74 +++\n", STORAGE_EXIT)), 1)
        for code in (0, 1, 78, -9):
            self.assertEqual(len(bench().sync_took(line, code)), 1)

    def test_files_are_read_from_names_and_from_descriptors(self):
        name = bench().path_in
        self.assertEqual(name("openat", 'AT_FDCWD</x>, "/f/data/CURRENT", O_RDONLY) = 3'), "data/CURRENT")
        self.assertEqual(name("fdatasync", "5</f/data/journal/000000000001.j>) = 0"), "data/journal/000000000001.j")
        self.assertEqual(name("rename", '"/f/high-water.tmp", "/f/high-water") = 0'), "high-water.tmp")
        self.assertEqual(name("unlinkat", '6</f/data/log/tile/0/000.p>, "12", 0) = 0'), "data/log/tile/0/000.p")
        self.assertEqual(name("pwrite64", '5</f/data/CURRENT.tmp>, "/f/data/x", 9, 0) = 9'), "data/CURRENT.tmp")
        self.assertIsNone(name("openat", 'AT_FDCWD</x>, "/f/data/index/2026-11/db", O_RDWR) = 3'))
        self.assertIsNone(name("openat", 'AT_FDCWD</x>, "/etc/hosts", O_RDONLY) = 3'))
        self.assertIsNone(name("write", "2<pipe:[1]>, \"x\", 1) = 1"))

    def test_every_part_of_the_work_has_its_calls(self):
        cases = {
            ("data/journal/000000000001.j", "fdatasync"): "commit",
            ("data/journal/000000000001.j", "openat"): "roll",
            ("data/keys/journal-000000000001.j.key", "pwrite64"): "roll",
            ("data/base/000000000001.state", "fdatasync"): "turn",
            ("data/CURRENT.tmp", "rename"): "turn",
            ("data/log/checkpoint.tmp", "rename"): "publish",
            ("high-water.tmp", "fdatasync"): "publish",
            ("data/LOCK", "openat"): "start",
        }
        for (path, call), part in cases.items():
            self.assertEqual(part_of(path, call), part, path)
        self.assertIn("no. 2", str(Point("commit", "data/CURRENT", "openat", 2)))


if __name__ == "__main__":
    unittest.main()
