"""The disk of the power test forgets what it should, and nothing else."""

import io
import os
import tempfile
import unittest
from contextlib import redirect_stdout

from disk import BLOCK, SECTOR, Disk
from mfusepy import FuseOSError

OLD, NEW, LATER = (letter * BLOCK for letter in (b"o", b"n", b"l"))


class Cuts(unittest.TestCase):
    def disk(self, blocks: int = 64) -> Disk:
        file = tempfile.NamedTemporaryFile()
        self.addCleanup(file.close)
        file.write(OLD * blocks)
        file.flush()
        disk = Disk(file.name)
        self.addCleanup(os.close, disk.image)
        return disk

    def cut(self, disk: Disk, keep: float, seed: int = 1) -> list[int]:
        said = io.StringIO()
        with redirect_stdout(said):
            disk.cut(seed, keep)
        return [int(number) for number in said.getvalue().split()]

    def blocks(self, disk: Disk) -> list[bytes]:
        return [disk.durable(block) for block in range(disk.size // BLOCK)]

    def test_what_was_flushed_stays_and_what_was_not_goes(self):
        disk = self.disk(3)
        disk.write("/", NEW, 0, 0)
        disk.fsync("/", 0, 0)
        disk.write("/", LATER, BLOCK, 0)
        self.assertEqual(disk.read("/", 3 * BLOCK, 0, 0), NEW + LATER + OLD)
        self.assertEqual(self.cut(disk, 0.0)[:3], [1, 0, 0])
        self.assertEqual(self.blocks(disk), [NEW, OLD, OLD])

    def test_a_disk_that_keeps_all_keeps_the_last_version_untorn(self):
        disk = self.disk()
        for content in (NEW, LATER):
            disk.write("/", content * 64, 0, 0)
        self.assertEqual(self.cut(disk, 1.0)[:3], [64, 64, 0])
        self.assertEqual(self.blocks(disk), [LATER] * 64)

    def test_a_part_survives_in_any_version_and_some_of_it_torn_at_sectors(self):
        disk = self.disk()
        for content in (NEW, LATER):
            disk.write("/", content * 64, 0, 0)
        unflushed, kept, torn, _, _ = self.cut(disk, 0.66)
        self.assertTrue(unflushed == 64 and 0 < kept < 64 and torn > 0)
        blocks = self.blocks(disk)
        self.assertTrue({OLD, NEW, LATER} <= set(blocks))
        mixed = [block for block in blocks if block not in (OLD, NEW, LATER)]
        self.assertTrue(mixed)
        for block in mixed:
            sectors = [block[at : at + SECTOR] for at in range(0, BLOCK, SECTOR)]
            self.assertTrue(all(len(set(sector)) == 1 for sector in sectors), "torn between sectors only")

    def test_a_part_of_a_block_is_written_into_it(self):
        disk = self.disk(2)
        disk.write("/", b"x" * SECTOR, BLOCK - SECTOR, 0)
        disk.fsync("/", 0, 0)
        self.assertEqual(self.blocks(disk)[0], OLD[SECTOR:] + b"x" * SECTOR)

    def test_nothing_is_written_or_flushed_without_power(self):
        disk = self.disk(2)
        disk.write("/", NEW, 0, 0)
        self.cut(disk, 0.0)
        for call in (lambda: disk.write("/", NEW, 0, 0), lambda: disk.fsync("/", 0, 0)):
            with self.assertRaises(FuseOSError):
                call()
        self.assertEqual(self.blocks(disk), [OLD, OLD])

    def test_the_cut_comes_with_the_write_that_was_named(self):
        disk = self.disk(4)
        disk.armed = (2, 1, 1.0)
        with redirect_stdout(io.StringIO()):
            disk.write("/", NEW, 0, 0)
            self.assertTrue(disk.is_on)
            disk.write("/", NEW, BLOCK, 0)
        self.assertFalse(disk.is_on)
        self.assertEqual(self.blocks(disk), [NEW, NEW, OLD, OLD])


if __name__ == "__main__":
    unittest.main()
