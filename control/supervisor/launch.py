"""How a part is started, watched and stopped: as a process of its own, or as a thread.

Both kinds look the same to the supervisor, whose main thread is the only caller. The kernel kills a
process when the thread that started it ends, so all parts are started from that one thread.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from typing import Any, Protocol

from touchline.config import Config
from touchline.control.supervisor.log import STDERR
from touchline.control.supervisor.part import run_part

log = logging.getLogger(__name__)
Facts = dict[str, Any]


class Running(Protocol):
    """A part that has been started."""

    pid: int

    def exit_code(self) -> int | None:
        """None while it runs; the code it ended with, or minus the signal that ended it."""

    def told(self) -> list[Facts]:
        """What the part has said since the last call."""

    def reconfigure(self, config: Config) -> None:
        """Hand it a changed configuration, of which it takes up what it can while it runs."""

    def ask_to_stop(self) -> None:
        """Ask for a clean stop and return at once."""

    def wait(self, timeout_s: float) -> bool:
        """True when it has ended within the time."""

    def kill(self) -> None:
        """End it at once, as far as that is possible."""


class Process:
    """A part in a process of its own."""

    def __init__(self, name: str, config: Config) -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._channel = reader
        self._partial = b""
        try:
            self._popen = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "touchline.control.supervisor.part",
                    name,
                    f"{os.getpid()}",
                    f"{writer}",
                ],
                stdin=subprocess.PIPE,
                stdout=STDERR,
                pass_fds=(writer,),
                # Ctrl-C is the supervisor's to hear; a part that is starting could not ignore it.
                process_group=0,
            )
        finally:
            os.close(writer)
        self.pid = self._popen.pid
        stdin = self._popen.stdin
        assert stdin is not None
        try:
            stdin.write(config.model_dump_json().encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            log.warning("part ended before it read its configuration")

    def exit_code(self) -> int | None:
        return self._popen.poll()

    def told(self) -> list[Facts]:
        try:
            while chunk := os.read(self._channel, 65536):
                self._partial += chunk
        except BlockingIOError:
            pass
        *lines, self._partial = self._partial.split(b"\n")
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    def ask_to_stop(self) -> None:
        self._popen.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> bool:
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def reconfigure(self, config: Config) -> None:
        line = config.model_dump_json().encode() + b"\n"
        # By a thread: a part that hangs reads nothing, and nobody waits for it.
        threading.Thread(target=self._write, args=(line,), daemon=True).start()

    def _write(self, line: bytes) -> None:
        stdin = self._popen.stdin
        assert stdin is not None
        with contextlib.suppress(OSError, ValueError):
            stdin.write(line)
            stdin.flush()

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()


class Thread:
    """A part as a thread of this process, for a laptop or a test."""

    def __init__(self, name: str, config: Config) -> None:
        self.pid = os.getpid()
        self._stop = threading.Event()
        self._told: list[Facts] = []
        self._later: list[Config] = []
        self._code: int | None = None
        self._thread = threading.Thread(target=self._run, args=(name, config), name=name)
        self._thread.daemon = True
        self._thread.start()

    def _run(self, name: str, config: Config) -> None:
        code = 70
        try:
            later = self._later
            fresh = lambda: later.pop() if later else None  # noqa: E731
            code = run_part(name, config, self._stop, self._told.append, fresh)
        except Exception as error:
            self._told.append({"crashed": f"{type(error).__name__}: {error}"})
            log.exception("part crashed")
        finally:
            self._code = code

    def exit_code(self) -> int | None:
        return self._code

    def told(self) -> list[Facts]:
        count = len(self._told)
        facts, self._told[:count] = self._told[:count], []
        return facts

    def reconfigure(self, config: Config) -> None:
        self._later[:] = [config]

    def ask_to_stop(self) -> None:
        self._stop.set()

    def wait(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def kill(self) -> None:
        self._stop.set()


def launch(name: str, config: Config, *, in_process: bool) -> Running:
    """Start a part; it tells by itself when it is ready."""
    return Thread(name, config) if in_process else Process(name, config)
