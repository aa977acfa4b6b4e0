"""What operators ask of a running gateway: a socket in its directory, and both its ends.

A request is a line of JSON, and so is the answer. The socket is a file that only the venue's user
reaches, and who connects is asked of the kernel all the same. The gateway's own thread serves it,
ten times a second and without waiting: a caller that says nothing, too much or nonsense is let go,
and no session notices. What is asked:

   {"ask": "reset-seq", "session": "BROKER1", "next_out": 1, "next_in": 1}

The session is logged out and kept away until its numbers are changed, then it may come back.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchline.errors import SessionError
from touchline.fix.hours import Hours
from touchline.fix.settings import SessionSettings
from touchline.wire.fix_server import FixServer

LOG = logging.getLogger("touchline.fix")
FILE = "operators.sock"
LINE_MAX = 4096
CALLERS_MAX = 8
SILENT_S = 2.0  # for a whole request
DONE_S = 4.0  # for the loop to change the numbers
ROUNDS = 3  # of the loop, after which it has done what it was handed
NUMBER_MAX = (1 << 63) - 1


@dataclass(slots=True)
class _Reset:
    """A change of numbers on its way. `rounds`: the loop's, when the session was kept away;
    `resets`: the session's, before the change was handed to the loop at `sent_s`."""

    number: int
    next_out: int
    next_in: int
    rounds: int
    resets: int | None = None
    sent_s: float = 0.0


@dataclass(slots=True)
class _Caller:
    line: socket.socket
    until_s: float
    said: bytes = b""
    reset: _Reset | None = None


class Operators:
    """The gateway's end; look() after it often."""

    def __init__(
        self,
        fix_dir: Path,
        server: FixServer,
        sessions: Mapping[int, SessionSettings],
        hours: Hours,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._changed = changed  # numbers were; called before that is answered
        self._server = server
        self._sessions = sessions
        self._hours = hours
        self._callers: list[_Caller] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        (fix_dir / FILE).unlink(missing_ok=True)
        with _place(fix_dir) as path:
            before = os.umask(0o177)
            try:
                self._listener.bind(path)
            finally:
                os.umask(before)
        self._listener.listen(CALLERS_MAX)
        self._file = fix_dir / FILE
        self._inode = self._file.stat().st_ino

    def close(self) -> None:
        """Let all go; who waits for an answer sees the end of the line."""
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            if self._file.stat().st_ino == self._inode:  # and not a later gateway's
                self._file.unlink()
        for caller in self._callers:
            caller.line.close()

    def look(self) -> None:
        """Take what came, and go on with what is under way."""
        with contextlib.suppress(OSError):
            while len(self._callers) < CALLERS_MAX:
                line, _ = self._listener.accept()
                line.setblocking(False)
                self._callers.append(_Caller(line, FixServer.monotonic_s() + SILENT_S))
        for caller in list(self._callers):
            try:
                answer = self._step(caller)
            except SessionError as error:
                answer = {"error": str(error)}
            except OSError:
                answer = {}
            if answer is not None:
                self._let_go(caller, answer)

    def _let_go(self, caller: _Caller, answer: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            if answer:
                caller.line.send(json.dumps(answer).encode() + b"\n")
        caller.line.close()
        self._callers.remove(caller)

    def _step(self, caller: _Caller) -> dict[str, Any] | None:
        """The answer; {}: none is owed; None: it is to come."""
        if caller.reset is not None:
            return self._go_on(caller.reset)
        if not _is_ours(caller.line):
            return {}
        with contextlib.suppress(BlockingIOError):
            piece = caller.line.recv(LINE_MAX)
            caller.said += piece
            if not piece or len(caller.said) > LINE_MAX:
                return {}
        if not caller.said.endswith(b"\n"):
            return {} if FixServer.monotonic_s() > caller.until_s else None
        caller.reset = self._begin(_read(caller.said))
        return None

    def _begin(self, asked: dict[str, Any]) -> _Reset:
        """Keep the session away, so that its numbers can be changed."""
        if asked.get("ask") != "reset-seq":
            raise SessionError(f"{asked.get('ask')!r} is nothing that can be asked")
        name = asked.get("session")
        numbers = {one.comp_id: number for number, one in self._sessions.items()}
        if not isinstance(name, str) or name not in numbers:
            raise SessionError(f"there is no session {name!r}")
        status = self._server.session_status(numbers[name])
        if status is None:
            raise SessionError(f"session {name} is not open yet")
        out, come = asked.get("next_out"), asked.get("next_in")
        reset = _Reset(
            numbers[name],
            _number("next_out", status.next_out if out is None else out),
            _number("next_in", status.next_in if come is None else come),
            self._server.status().rounds,
        )
        if any(one.reset and one.reset.number == reset.number for one in self._callers):
            raise SessionError(f"the numbers of {name} are being changed by somebody else")
        self._hours.keep_out(reset.number)
        self._hours.look(self._server.utc_s())
        return reset

    def _go_on(self, reset: _Reset) -> dict[str, Any] | None:
        status = self._server.session_status(reset.number)
        if status is None or self._server.status().rounds < reset.rounds + ROUNDS:
            self._server.wake()
            return None
        if reset.resets is None:
            if status.state == "away":
                reset.resets = status.resets
                reset.sent_s = FixServer.monotonic_s()
                self._server.reset(reset.number, reset.next_out, reset.next_in)
            return None
        if status.resets == reset.resets and FixServer.monotonic_s() < reset.sent_s + DONE_S:
            self._server.wake()
            return None
        self._hours.let_in(reset.number)
        self._hours.look(self._server.utc_s())
        if status.resets == reset.resets:
            raise SessionError("the store did not take the numbers; see the log")
        name = self._sessions[reset.number].comp_id
        LOG.warning("an operator set %s to out %d, in %d", name, reset.next_out, reset.next_in)
        self._changed()
        return {"session": name, "next_out": reset.next_out, "next_in": reset.next_in}


def ask(fix_dir: Path, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Put a request to the running gateway, and its answer. Raises FileNotFoundError or
    ConnectionRefusedError when none runs, TimeoutError, and SessionError for a no."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line, _place(fix_dir) as path:
        line.settimeout(timeout_s)
        line.connect(path)
        line.sendall(json.dumps(request).encode() + b"\n")
        said = b""
        while not said.endswith(b"\n") and (piece := line.recv(LINE_MAX)):
            said += piece
    if not said:
        raise ConnectionRefusedError("the gateway ended before it answered")
    answer = _read(said)
    if "error" in answer:
        raise SessionError(str(answer["error"]))
    return answer


@contextlib.contextmanager
def _place(fix_dir: Path) -> Iterator[str]:
    """A path to the socket that is short enough for one, however long the directory's is."""
    directory = os.open(fix_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{FILE}"
    finally:
        os.close(directory)


def _is_ours(line: socket.socket) -> bool:
    """Whether the peer is the venue's user, or root."""
    said = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", said)[1] in (0, os.geteuid())


def _read(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SessionError("what was said is not JSON") from error
    if not isinstance(said, dict):
        raise SessionError("what was said is no object")
    return said


def _number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= NUMBER_MAX:
        raise SessionError(f"{name} is {value!r:.40}; allowed are 1 to {NUMBER_MAX}")
    return value
