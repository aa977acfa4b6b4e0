"""What operators ask of a gateway whose sessions are QuickFIX's: news, and other numbers.

QuickFIX may be called from any thread for both. Numbers are changed while the peer is away: the
door keeps it out, and lets it in again when that is done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import quickfix as fix

from touchline.errors import SessionError
from touchline.fix.hours import Hours
from touchline.fix.notices import Notice
from touchline.fix.operators import Facts, Step
from touchline.fix.outbound import transact_time
from touchline.fix.renumber import checked_number
from touchline.fix.roster import Counterparty
from touchline.wire.fix_server import FixServer

LOG = logging.getLogger("touchline.fix")
NUMBER_MAX = (1 << 31) - 1
AWAY_S = 4.0  # for the peer to be let go


def news(begin_string: str, notice: Notice, now_s: float) -> Any:
    """News(B) as QuickFIX sends it."""
    message = fix.Message()
    header = message.getHeader()
    header.setField(fix.BeginString(begin_string))
    header.setField(fix.MsgType("B"))
    message.setField(fix.StringField(42, transact_time(int(now_s * 1e9))))
    message.setField(fix.StringField(61, "1" if notice.urgent else "0"))
    message.setField(fix.StringField(148, notice.headline))
    for text in notice.lines or (notice.headline,):
        line = fix.Group(33, 58)
        line.setField(fix.StringField(58, text))
        message.addGroup(line)
    return message


class QuickfixRenumber:
    """Changes the numbers of a session; ask() begins it."""

    def __init__(
        self,
        server: FixServer,
        parties: Mapping[int, Counterparty],
        live: Callable[[], list[str]],
        hours: Hours,
    ) -> None:
        self._server = server
        self._parties = parties
        self._live = live
        self._hours = hours
        self._under_way: set[int] = set()

    def ask(self, asked: Facts) -> Step:
        """Keep the session away; a number that is not given stays as it is."""
        name = asked.get("session")
        numbers = {one.session.comp_id: number for number, one in self._parties.items()}
        if not isinstance(name, str) or name not in numbers:
            raise SessionError(f"there is no session {name!r:.80}")
        given = {key: asked.get(key) for key in ("next_out", "next_in")}
        wanted = {key: checked_number(key, n) for key, n in given.items() if n is not None}
        if any(n > NUMBER_MAX for n in wanted.values()):
            raise SessionError(f"QuickFIX knows no number above {NUMBER_MAX}")
        number = numbers[name]
        if number in self._under_way:
            raise SessionError(f"the numbers of {name} are being changed by somebody else")
        self._under_way.add(number)
        self._hours.keep_out(number)
        self._hours.look(self._server.utc_s())
        until_s = self._server.monotonic_s() + AWAY_S
        return lambda: self._go_on(number, wanted, until_s)

    def _go_on(self, number: int, wanted: dict[str, int], until_s: float) -> Facts | None:
        name = self._parties[number].session.comp_id
        away = name not in self._live()
        if not away and self._server.monotonic_s() < until_s:
            return None
        self._under_way.discard(number)
        try:
            if not away:
                raise SessionError(f"QuickFIX does not let go of {name}; nothing was changed")
            return self._change(number, name, wanted)
        finally:
            self._hours.let_in(number)
            self._hours.look(self._server.utc_s())

    def _change(self, number: int, name: str, wanted: dict[str, int]) -> Facts:
        """Messages under the old numbers go only when both numbers are new."""
        session = fix.Session.lookupSession(self._parties[number].session_id)
        if len(wanted) == 2:
            session.reset()
        if "next_out" in wanted:
            session.setNextSenderMsgSeqNum(wanted["next_out"])
        if "next_in" in wanted:
            session.setNextTargetMsgSeqNum(wanted["next_in"])
        LOG.warning("an operator set the numbers of %s: %s", name, wanted)
        return {"session": name, "next_out": None, "next_in": None} | wanted
