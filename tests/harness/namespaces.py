"""Two network namespaces with a cable between them, for one test.

They have no names: descriptors of this process hold them, and the kernel removes both, the cable
and whatever was attached to it when the last one is closed, however the test ends.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from harness import waiting

CLONE_NEWNET = 0x40000000
NAME = "veth0"  # at both ends
IPV4 = ("10.78.0.1", "10.78.0.2")
IPV6 = ("fd78::1", "fd78::2")
MACS = ("02:00:00:00:78:01", "02:00:00:00:78:02")
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(rc: int) -> None:
    if rc != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def ip(*words: str) -> bytes:
    return subprocess.run(("ip", *words), check=True, capture_output=True, timeout=20).stdout


@dataclass(frozen=True)
class Cable:
    """The namespaces at the two ends, 0 and 1, each as a descriptor."""

    sides: tuple[int, int]

    @contextmanager
    def inside(self, side: int) -> Iterator[None]:
        """What is opened here belongs to that side, wherever it is used later."""
        home = current()
        try:
            checked(LIBC.setns(self.sides[side], CLONE_NEWNET))
            yield
        finally:
            checked(LIBC.setns(home, CLONE_NEWNET))
            os.close(home)


def new() -> int:
    home = current()
    try:
        checked(LIBC.unshare(CLONE_NEWNET))
        made = current()
        checked(LIBC.setns(home, CLONE_NEWNET))
    finally:
        os.close(home)
    return made


def await_routes(cable: Cable) -> None:
    """The kernel notices in its own time that there is a cable; groups have their route then."""
    for side in (0, 1):
        with cable.inside(side):
            waiting.until(
                lambda: b"ff00::/8" in ip("-6", "route", "show", "table", "all", "dev", NAME),
                f"the way to groups at side {side}",
            )


def plug(cable: Cable) -> None:
    far = f"/proc/{os.getpid()}/fd/{cable.sides[1]}"
    with cable.inside(0):
        ip("link", "add", NAME, "type", "veth", "peer", "name", NAME, "netns", far)
    for side in (0, 1):
        with cable.inside(side):
            ip("link", "set", NAME, "address", MACS[side])
            ip("addr", "add", f"{IPV4[side]}/24", "dev", NAME)
            ip("addr", "add", f"{IPV6[side]}/64", "dev", NAME, "nodad")
            ip("link", "set", NAME, "up")
            ip("link", "set", "lo", "up")
    await_routes(cable)


@contextmanager
def cable() -> Iterator[Cable]:
    """Skips the test where this kernel lets this user make no namespaces."""
    sides: list[int] = []
    try:
        try:
            sides += [new(), new()]
        except PermissionError:
            pytest.skip("network namespaces need CAP_SYS_ADMIN here; see `touchline doctor`")
        made = Cable((sides[0], sides[1]))
        plug(made)
        yield made
    finally:
        for side in sides:
            os.close(side)
