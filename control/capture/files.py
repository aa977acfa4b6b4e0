"""Files and directories of the capture: there whole and for good, and for the owner's group alone.

What a program writes must not depend on the umask it was started with, so every mode is set.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FILE_MODE, DIRECTORY_MODE = 0o640, 0o750
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def make_directory(path: Path) -> None:
    """A directory and those above it, the ones that were missing closed to others."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(DIRECTORY_MODE)
    sync_directory(path.parent)


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file, made when it is missing."""
    number = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    os.fchmod(number, FILE_MODE)
    return number


def write_synced(path: Path, data: Any, flags: int = os.O_WRONLY | os.O_TRUNC) -> None:
    """Write all of `data` to a file and have the disk hold it; OSError naming the path."""
    with naming(path):
        number = open_private(path, flags)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(number, view) :]
            os.fsync(number)
        finally:
            os.close(number)


def write_whole(path: Path, data: Any, temporary: Path) -> None:
    """A file that is there whole and for good, or not at all: OSError naming the path.

    `temporary` is its name until then, on the same disk and out of the way of who scans.
    """
    with naming(path):
        make_directory(path.parent)
        try:
            write_synced(temporary, data)
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def exchange(one: Path, other: Path) -> None:
    """Let two directories change places in one step; OSError where the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
    )
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot exchange directories: {os.strerror(number)}", str(other))


def sync_directory(directory: Path) -> None:
    """Have the disk hold what names the directory has."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError name the file that could not be written, not the step that failed."""
    try:
        yield
    except OSError as error:
        if str(error.strerror).startswith("cannot write: "):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise OSError(error.errno, f"cannot write: {error.strerror}", str(path)) from error
