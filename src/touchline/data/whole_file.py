"""A file that grows by whole pieces, and stays whole when its writer is killed.

    writer ─► append: bytes, then how many there are ─► shared memory ─┐
       └──── a pipe: its end is the writer's death ─► guard ───────────┴─► cut to that

A write that is killed half way leaves a part of it: the system copies page by page. So a process of
its own, which does nothing else, waits for the writer's end and cuts off what is no whole piece.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
from os import PathLike, fspath
from typing import NoReturn

from touchline.runtime.closing import Closing

_SIZE = struct.Struct("Q")  # stored as one word


class WholeFile(Closing):
    """A file to which pieces are appended; it belongs to the process that made it.

    It is made anew, and must not be there unless `overwrite`; or, with `size`, it is there, and
    goes on behind its first `size` bytes. Raises OSError.
    """

    def __init__(
        self, path: str | PathLike[str], *, overwrite: bool = False, size: int | None = None
    ) -> None:
        self.path = fspath(path)
        fresh = os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL)
        self._fd = os.open(self.path, os.O_WRONLY | (fresh if size is None else 0), 0o644)
        self.size = size or 0
        os.ftruncate(self._fd, self.size)
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        _SIZE.pack_into(self._shared, 0, self.size)
        ears, self._alive = os.pipe()
        self._guard = os.fork()
        if self._guard == 0:
            _guard(self._fd, self._shared, ears)
        os.close(ears)

    def append(self, data: bytes) -> None:
        """All of it, or the file ends where it did. Raises OSError, as for a disk that is full."""
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self._fd, memoryview(data)[done:], self.size + done)
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)
        _SIZE.pack_into(self._shared, 0, self.size)

    def close(self) -> None:
        """Let go of it; what was appended stays."""
        if self._fd < 0:
            return
        os.close(self._alive)
        os.waitpid(self._guard, 0)
        os.close(self._fd)
        self._fd = -1
        self._shared.close()


def _guard(fd: int, shared: mmap.mmap, ears: int) -> NoReturn:
    """In the child: until the writer's end of the pipe is closed, by itself or by its death."""
    try:
        os.setsid()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        low, high = sorted((fd, ears))
        for first, last in ((0, low), (low + 1, high), (high + 1, os.sysconf("SC_OPEN_MAX"))):
            os.closerange(first, last)
        os.read(ears, 1)
        os.ftruncate(fd, _SIZE.unpack_from(shared)[0])
    finally:
        os._exit(0)
