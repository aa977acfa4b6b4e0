"""What operators ask of a running gateway: a socket in its directory, and both its ends.

A request is a line of JSON, and so is the answer. The socket is a file that only the venue's user
reaches, and who connects is asked of the kernel all the same. The gateway's own thread serves it,
ten times a second and without waiting: a caller that says nothing, too much or nonsense is let go,
and no session notices. What may be asked stands where it is done: renumber.py, notices.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchline.errors import SessionError
from touchline.wire.fix_server import FixServer

FILE = "operators.sock"
LINE_MAX = 16_384
CALLERS_MAX = 8
SILENT_S = 2.0  # for a whole request

Facts = dict[str, Any]
# A request under way: what is answered, None while it is to come. SessionError is a no.
Step = Callable[[], Facts | None]


@dataclass(slots=True)
class _Caller:
    line: socket.socket
    until_s: float
    said: bytes = b""
    step: Step | None = None


class Operators:
    """The gateway's end; look() after it often. `asks` begins what is asked, by its name."""

    def __init__(self, fix_dir: Path, asks: Mapping[str, Callable[[Facts], Step]]) -> None:
        self._asks = asks
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

    def _let_go(self, caller: _Caller, answer: Facts) -> None:
        with contextlib.suppress(OSError):
            if answer:
                caller.line.send(json.dumps(answer).encode() + b"\n")
        caller.line.close()
        self._callers.remove(caller)

    def _step(self, caller: _Caller) -> Facts | None:
        """The answer; {}: none is owed; None: it is to come."""
        if caller.step is not None:
            return caller.step()
        if not _is_ours(caller.line):
            return {}
        with contextlib.suppress(BlockingIOError):
            piece = caller.line.recv(LINE_MAX)
            caller.said += piece
            if not piece or len(caller.said) > LINE_MAX:
                return {}
        if not caller.said.endswith(b"\n"):
            return {} if FixServer.monotonic_s() > caller.until_s else None
        caller.step = self._begin(_read(caller.said))
        return None

    def _begin(self, asked: Facts) -> Step:
        name = asked.get("ask")
        if not isinstance(name, str) or name not in self._asks:
            raise SessionError(f"{name!r:.40} is nothing that can be asked")
        return self._asks[name](asked)


def ask(fix_dir: Path, request: Facts, timeout_s: float) -> Facts:
    """Put a request to the running gateway, and its answer. Raises FileNotFoundError or
    ConnectionRefusedError when none runs, TimeoutError, and SessionError for a no."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line, _place(fix_dir) as path:
        line.settimeout(timeout_s)
        line.connect(path)
        line.sendall(json.dumps(request, ensure_ascii=False).encode() + b"\n")
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


def _read(line: bytes) -> Facts:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SessionError("what was said is not JSON") from error
    if not isinstance(said, dict):
        raise SessionError("what was said is no object")
    return said
