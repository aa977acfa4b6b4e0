"""The door to QuickFIX: its acceptor listens where nobody but this process can come.

QuickFIX's acceptor listens on every interface, waits on its only thread for a newcomer's first
message, and resets a session's sequence numbers before anyone has seen a password. So brokers
connect to an acceptor of our own (touchline.wire.fix_server), which lets in whole, sound Logons of
known sessions alone and looks at each message before it hands it on. QuickFIX listens on a local
socket without a name in any directory, put in the place of the port it was started on.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator

WAITING_MAX = 64


def free_port() -> int:
    """A port that is free on the loopback interface now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """The process's sockets, each with a duplicate to look at that is closed afterwards."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                with socket.socket(fileno=os.dup(number)) as found:
                    yield number, found


class Door:
    """`address` is where QuickFIX is reached once take_over() is done: an abstract unix address."""

    def __init__(self) -> None:
        self._inner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._inner.bind("")  # the kernel gives it a name that is in no directory
        self._inner.listen(WAITING_MAX)
        self._inner.setblocking(False)
        self._handle = -1  # the descriptor that QuickFIX accepts from
        self.address: bytes = self._inner.getsockname()

    def take_over(self, inner_port: int) -> None:
        """Put the local socket where QuickFIX, just started, listens on `inner_port`."""
        for number, found in _sockets():
            if (
                found.family == socket.AF_INET
                and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                and found.getsockname()[1] == inner_port
            ):
                os.dup2(self._inner.fileno(), number)
                self._handle = number
                break
        else:
            raise OSError(f"QuickFIX does not listen on its port {inner_port}")
        # Its thread may wait on the old socket for a second yet: something happening there wakes
        # it, and it goes on with the new one when it finds something there too.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting,
        ):
            waiting.connect(self._inner.getsockname())
            socket.create_connection(("127.0.0.1", inner_port), timeout=1.0).close()

    def close(self) -> None:
        """Let nobody come any more; connections that are there stay as they are."""
        if self._handle >= 0:
            # QuickFIX's stop() shuts this descriptor down under its own thread, which wakes and
            # frees what stop() still walks through. On an eventfd the shutdown wakes nobody.
            silent = os.eventfd(0, os.EFD_CLOEXEC)
            os.dup2(silent, self._handle)
            os.close(silent)
        self._inner.close()
