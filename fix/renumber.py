"""An operator's change of a session's sequence numbers, while the gateway runs.

    {"ask": "reset-seq", "session": "BROKER1", "next_out": 1, "next_in": 1}

The session is logged out and kept away until its numbers are changed, then it may come back.
Belongs to the gateway's own thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from touchline.errors import SessionError
from touchline.fix.hours import Hours
from touchline.fix.operators import Facts, Step
from touchline.fix.settings import SessionSettings
from touchline.wire.fix_server import FixServer

LOG = logging.getLogger("touchline.fix")
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


class Renumber:
    """Changes numbers of the sessions of a native acceptor; ask() begins one."""

    def __init__(
        self,
        server: FixServer,
        sessions: Mapping[int, SessionSettings],
        hours: Hours,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._changed = changed  # numbers were; called before that is answered
        self._server = server
        self._sessions = sessions
        self._hours = hours
        self._under_way: set[int] = set()

    def ask(self, asked: Facts) -> Step:
        """Keep the session away, so that its numbers can be changed."""
        name = asked.get("session")
        numbers = {one.comp_id: number for number, one in self._sessions.items()}
        if not isinstance(name, str) or name not in numbers:
            raise SessionError(f"there is no session {name!r:.80}")
        status = self._server.session_status(numbers[name])
        if status is None:
            raise SessionError(f"session {name} is not open yet")
        out, come = asked.get("next_out"), asked.get("next_in")
        reset = _Reset(
            numbers[name],
            checked_number("next_out", status.next_out if out is None else out),
            checked_number("next_in", status.next_in if come is None else come),
            self._server.status().rounds,
        )
        if reset.number in self._under_way:
            raise SessionError(f"the numbers of {name} are being changed by somebody else")
        self._under_way.add(reset.number)
        self._hours.keep_out(reset.number)
        self._hours.look(self._server.utc_s())
        return lambda: self._go_on(reset)

    def _go_on(self, reset: _Reset) -> Facts | None:
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
        self._under_way.discard(reset.number)
        self._hours.let_in(reset.number)
        self._hours.look(self._server.utc_s())
        if status.resets == reset.resets:
            raise SessionError("the store did not take the numbers; see the log")
        name = self._sessions[reset.number].comp_id
        LOG.warning("an operator set %s to out %d, in %d", name, reset.next_out, reset.next_in)
        self._changed()
        return {"session": name, "next_out": reset.next_out, "next_in": reset.next_in}


def checked_number(name: str, value: Any) -> int:
    """A MsgSeqNum(34); SessionError for what can not be one."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= NUMBER_MAX:
        raise SessionError(f"{name} is {value!r:.40}; allowed are 1 to {NUMBER_MAX}")
    return value
