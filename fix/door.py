"""The door: brokers' connections are looked at here before QuickFIX gets them.

QuickFIX's acceptor listens on every interface, waits on its only thread for a newcomer's first
message, and resets a session's sequence numbers before anyone has seen a password. So the gateway
listens itself, where it was told to. A connection that opens with a whole, sound Logon of a known
session is handed over, with the Logon still unread; any other is closed, and no session notices.

Handing over: QuickFIX listens on a local socket that nobody else knows. The door connects to it,
finds the descriptor that QuickFIX accepted, and puts the broker's connection in its place.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import stat
import threading
from collections.abc import Callable, Iterator

LOG = logging.getLogger("touchline.fix")
LOGON_BYTES_MAX = 4096
LOGON_PIECES_MAX = 8  # of a Logon, each within LOGON_TIMEOUT_S: a trickle does not hold the door
LOGON_TIMEOUT_S = 2.0
WAITING_MAX = 32
HANDOVER_S = 5.0
STEP_S = 0.002

_LOGON = re.compile(rb"8=FIX[^\x01]*\x019=(\d{1,4})\x01(35=A\x01.*?\x01)10=(\d{3})\x01", re.DOTALL)


class _Silent(Exception):
    """A connection that ended before it said what it is: a probe, and no trouble."""


def read_logon(head: bytes) -> dict[str, str] | None:
    """The fields of a Logon at the start of `head`, or None while it may still become one.

    Raises ValueError when it can not: the bytes are no Logon, or its length or checksum is wrong.
    """
    start = b"8=FIX"
    if not head.startswith(start[: len(head)]):
        raise ValueError("the first bytes are not FIX")
    match = _LOGON.match(head)
    if match is None:
        if len(head) >= LOGON_BYTES_MAX or re.search(rb"\x0110=[^\x01]*\x01", head):
            raise ValueError("the first message is not a Logon")
        return None
    if len(match[2]) != int(match[1]):
        raise ValueError(f"BodyLength(9) says {int(match[1])} bytes, there are {len(match[2])}")
    if sum(head[: match.start(3) - 3]) % 256 != int(match[3]):
        raise ValueError("the CheckSum(10) is wrong")
    text = match[0].decode("utf-8", "replace")
    return dict(pair.split("=", 1) for pair in text.split("\x01")[-2::-1] if "=" in pair)


def bound(host: str, port: int) -> socket.socket:
    """A socket that is to listen there; OSError that names the place when it can not be had."""
    try:
        family, _, _, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise no_listening(host, port, error) from error
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(place)
    except OSError as error:
        found.close()
        raise no_listening(host, port, error) from error
    return found


def no_listening(host: str, port: int, error: OSError) -> OSError:
    reason = error.strerror or str(error)
    return OSError(error.errno, f"cannot listen for FIX on {shown(host, port)}: {reason}")


def shown(host: str, port: int) -> str:
    """An address as people write it: IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
    """`judge(fields)` says why a Logon's sender may not come in, or "" if it may."""

    def __init__(self, listener: socket.socket, judge: Callable[[dict[str, str]], str]) -> None:
        self._listener = listener
        self._judge = judge
        self._places = threading.BoundedSemaphore(WAITING_MAX)
        self._one_by_one = threading.Lock()
        self._closed = threading.Event()
        self._inner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._inner.bind("")  # the kernel gives it a name that is in no directory
        self._inner.listen(WAITING_MAX)
        self._inner.setblocking(False)
        self._handle = -1  # the descriptor that QuickFIX accepts from
        self.address: tuple[str, int] = listener.getsockname()[:2]

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

    def open(self) -> None:
        """Listen; from now on connections come in, and wait until run() takes them."""
        try:
            self._listener.listen()
        except OSError as error:
            host, port = self.address
            raise no_listening(host, port, error) from error

    def run(self) -> None:
        """Accept until closed; each newcomer is looked at by a thread of its own."""
        while not self._closed.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError:
                if self._closed.wait(STEP_S):
                    return
                continue
            if not self._places.acquire(blocking=False):
                LOG.warning("connection from %s refused: too many are waiting", shown(*address[:2]))
                connection.close()
                continue
            name = f"fix-door-{address[1]}"
            threading.Thread(
                target=self._admit, args=(connection, address), name=name, daemon=True
            ).start()

    def close(self) -> None:
        """Stop listening; connections handed over stay as they are."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._handle >= 0:
            # QuickFIX's stop() shuts this descriptor down under its own thread, which wakes and
            # frees what stop() still walks through. On an eventfd the shutdown wakes nobody.
            silent = os.eventfd(0, os.EFD_CLOEXEC)
            os.dup2(silent, self._handle)
            os.close(silent)
        self._inner.close()

    def _admit(self, connection: socket.socket, address: tuple[str, int]) -> None:
        origin = shown(*address[:2])
        try:
            with connection:
                try:
                    logon = self._first_logon(connection)
                    reason = self._judge(logon)
                    if reason:
                        raise ValueError(reason)
                    with self._one_by_one:
                        self._hand_over(connection)
                    LOG.info("connection from %s let in: %s", origin, logon["49"])
                except _Silent as error:
                    LOG.debug("connection from %s: %s", origin, error)
                except (OSError, ValueError) as error:
                    LOG.warning("connection from %s refused: %s", origin, error)
                    _end(connection)
        finally:
            self._places.release()

    def _first_logon(self, connection: socket.socket) -> dict[str, str]:
        """The Logon a connection opens with, left unread for QuickFIX."""
        connection.settimeout(LOGON_TIMEOUT_S)
        for _ in range(LOGON_PIECES_MAX):
            head = connection.recv(LOGON_BYTES_MAX, socket.MSG_PEEK)
            if not head:
                raise _Silent("it was closed before a Logon came")
            fields = read_logon(head)
            if fields is not None:
                return fields
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(head) + 1)
        raise ValueError("the Logon came in too many pieces")

    def _hand_over(self, connection: socket.socket) -> None:
        """Make QuickFIX accept a connection and let it be the broker's."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as guide:
            guide.bind("")
            guide.connect(self._inner.getsockname())
            for _ in range(int(HANDOVER_S / STEP_S)):
                for number, found in _sockets():
                    if found.family == socket.AF_UNIX and _peer(found) == guide.getsockname():
                        connection.setblocking(False)
                        os.dup2(connection.fileno(), number)
                        return  # closing the guide wakes QuickFIX, which then reads the Logon
                if self._closed.wait(STEP_S):
                    break
        raise OSError("QuickFIX did not accept it")


def _end(connection: socket.socket) -> None:
    """Close in good order: what came is read first, or the kernel would answer with a reset."""
    with contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.recv(LOGON_BYTES_MAX)
        connection.shutdown(socket.SHUT_RDWR)


def _peer(found: socket.socket) -> object:
    try:
        return found.getpeername()
    except OSError:
        return None
