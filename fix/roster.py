"""The configured sessions as QuickFIX knows them, their numbers in the journal, and who is here.

Told by QuickFIX's thread, asked by the gateway's own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import quickfix as fix

from touchline.errors import SessionError
from touchline.fix.delivery import QUICKFIX_SESSIONS_MAX
from touchline.fix.desk import Session
from touchline.fix.settings import GatewaySettings, SessionSettings


@dataclass(frozen=True, slots=True)
class Counterparty:
    """A configured session with what QuickFIX calls it."""

    session: Session
    session_id: Any

    @property
    def store_name(self) -> str:
        """How QuickFIX names the session's files."""
        of = self.session_id
        parts = (of.getBeginString(), of.getSenderCompID(), of.getTargetCompID())
        return "-".join(part.getValue() for part in parts)


class Roster:
    """The sessions by CompID and by number; SessionError when the journal does not number one."""

    def __init__(self, settings: GatewaySettings, numbers: dict[str, int]) -> None:
        self.by_comp_id: dict[str, Counterparty] = {}
        self.by_number: dict[int, Counterparty] = {}
        self._live: set[str] = set()  # CompIDs logged on
        self._lock = threading.Lock()
        for configured in settings.sessions:
            number = numbers.get(configured.comp_id)
            if number is None or number >= QUICKFIX_SESSIONS_MAX:
                raise SessionError(
                    f"session {configured.comp_id!r} has number {number} in the journal; "
                    f"the venue's start should give it one below {QUICKFIX_SESSIONS_MAX}"
                )
            session = Session(
                number, configured.comp_id, configured.begin_string, configured.accounts
            )
            session_id = fix.SessionID(
                configured.begin_string, settings.comp_id, configured.comp_id
            )
            counterparty = Counterparty(session, session_id)
            self.by_comp_id[configured.comp_id] = self.by_number[number] = counterparty

    def take_up(self, sessions: Iterable[SessionSettings]) -> None:
        """Accounts as they are configured now, of the sessions that are here."""
        for configured in sessions:
            known = self.by_comp_id.get(configured.comp_id)
            if known is None or known.session.begin_string != configured.begin_string:
                continue
            session = replace(known.session, accounts=configured.accounts)
            fresh = replace(known, session=session)
            self.by_comp_id[configured.comp_id] = self.by_number[session.number] = fresh

    def came(self, comp_id: str) -> None:
        """QuickFIX has logged the session on."""
        with self._lock:
            self._live.add(comp_id)

    def left(self, comp_id: str) -> None:
        """The session is over; harmless when it was not on."""
        with self._lock:
            self._live.discard(comp_id)

    def live(self) -> list[str]:
        """CompIDs of the sessions that are logged on, in order."""
        with self._lock:
            return sorted(self._live)

    def sender(self, raw: str) -> Session:
        """The session a message comes from, by its SenderCompID(49)."""
        start = raw.index("\x0149=") + 4
        return self.by_comp_id[raw[start : raw.index("\x01", start)]].session
