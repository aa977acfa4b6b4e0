"""Waiting for a condition, never for a time, and ports that nobody listens on."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60.0
_PAUSES_S = (0.0005, 0.02)  # between looks: at first, and at most


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition; its value. Fails when it has not come by the deadline."""
    end = time.monotonic() + DEADLINE_S
    pause, longest = _PAUSES_S
    while not (value := condition()):
        assert time.monotonic() < end, f"never happened: {what}"
        threading.Event().wait(pause)
        pause = min(2 * pause, longest)
    return value


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
