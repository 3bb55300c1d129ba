"""A disk with a volatile cache: a FUSE folder with one file `disk-<boot>`, to be the backing file of a loop device.

    python disk.py IMAGE FOLDER

What was written since the last flush is in the cache only. Commands come on standard input, answers go to standard output, one line each:

    cut SEED KEEP [WRITES]
                    the power goes, at once or with the so manieth write from now on: each unflushed block of 4 KiB survives with probability KEEP, in its last version or an earlier one, and
                    every tenth of them torn at sectors of 512 bytes. From now on every write and flush fails.
    on BOOT         the power is back; the file is now called disk-BOOT, so that no cache of the kernel outlives the cut.

A flush takes up to 4 ms, as on a disk. With KEEP 1 and untorn blocks this is a disk that keeps all it was given: what is lost then is what the kernel had not written yet.
"""

import errno
import os
import random
import stat
import sys
import threading
import time

import mfusepy

BLOCK = 4096
SECTOR = 512
# Earlier versions of a block that are remembered.
VERSIONS_MAX = 4
TORN = 0.1
FLUSH_SECONDS_MAX = 0.004


class Disk(mfusepy.Operations):
    use_ns = True

    def __init__(self, image: str):
        self.image = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.image).st_size
        self.guard = threading.Lock()
        # By block number: its versions since the last flush, oldest first.
        self.cache: dict[int, list[bytes]] = {}
        self.is_on, self.boot = True, 0
        # What to do at the end of so many writes.
        self.armed: tuple[int, int, float] | None = None
        self.flushes = self.writes = 0
        self.delay = random.Random(1)

    def name(self) -> str:
        return f"/disk-{self.boot}"

    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
        if path != self.name():
            raise mfusepy.FuseOSError(errno.ENOENT)
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": self.size}

    def readdir(self, path, fh):
        return [".", "..", self.name()[1:]]

    def open(self, path, flags):
        return 0

    def durable(self, block: int) -> bytes:
        return os.pread(self.image, BLOCK, block * BLOCK).ljust(BLOCK, b"\0")

    def newest(self, block: int) -> bytes:
        versions = self.cache.get(block)
        return versions[-1] if versions else self.durable(block)

    def read(self, path, size, offset, fh):
        with self.guard:
            first, last = offset // BLOCK, (offset + size - 1) // BLOCK
            if not any(block in self.cache for block in range(first, last + 1)):
                return os.pread(self.image, size, offset)
            data = b"".join(self.newest(block) for block in range(first, last + 1))
            return data[offset - first * BLOCK :][:size]

    def write(self, path, data, offset, fh):
        with self.guard:
            if not self.is_on:
                raise mfusepy.FuseOSError(errno.EIO)
            self.writes += 1
            at = 0
            while at < len(data):
                block, within = divmod(offset + at, BLOCK)
                part = data[at : at + BLOCK - within]
                if len(part) < BLOCK:
                    old = self.newest(block)
                    content = old[:within] + part + old[within + len(part) :]
                else:
                    content = bytes(part)
                versions = self.cache.setdefault(block, [])
                versions.append(content)
                del versions[:-VERSIONS_MAX]
                at += len(part)
            if self.armed:
                left, seed, keep = self.armed
                self.armed = (left - 1, seed, keep)
                if left <= 1:
                    self.cut(seed, keep)
            return len(data)

    def fsync(self, path, datasync, fh):
        time.sleep(self.delay.random() * FLUSH_SECONDS_MAX)
        with self.guard:
            if not self.is_on:
                raise mfusepy.FuseOSError(errno.EIO)
            self.flushes += 1
            for block, versions in self.cache.items():
                os.pwrite(self.image, versions[-1], block * BLOCK)
            self.cache.clear()
            return 0

    def cut(self, seed: int, keep: float) -> None:
        """The guard is held."""
        rng, kept, torn = random.Random(seed), 0, 0
        self.is_on, self.armed = False, None
        for block in sorted(self.cache):
            if rng.random() >= keep:
                continue
            versions = [self.durable(block), *self.cache[block]]
            which = len(versions) - 1 if keep >= 1 or rng.random() < 0.7 else rng.randrange(1, len(versions))
            content = versions[which]
            if keep < 1 and rng.random() < TORN:
                torn += 1
                either = (content, versions[which - 1])
                content = b"".join(rng.choice(either)[at : at + SECTOR] for at in range(0, BLOCK, SECTOR))
            os.pwrite(self.image, content, block * BLOCK)
            kept += 1
        print(len(self.cache), kept, torn, self.writes, self.flushes, flush=True)
        self.cache.clear()

    def obey(self) -> None:
        for line in sys.stdin:
            verb, *rest = line.split()
            with self.guard:
                if verb == "on":
                    self.is_on, self.boot, self.flushes, self.writes = True, int(rest[0]), 0, 0
                    print("on", flush=True)
                elif self.is_on and len(rest) == 3:
                    self.armed = (int(rest[2]), int(rest[0]), float(rest[1]))
                elif self.is_on:
                    self.cut(int(rest[0]), float(rest[1]))


def main() -> None:
    disk = Disk(sys.argv[1])
    threading.Thread(target=disk.obey, daemon=True).start()
    mfusepy.FUSE(disk, sys.argv[2], foreground=True, nothreads=False, direct_io=True, attr_timeout=0, entry_timeout=0)


if __name__ == "__main__":
    main()
