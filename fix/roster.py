"""Who may come in: the configured sessions, their numbers in the journal, and which are here now.

Asked by the door's threads about newcomers and by QuickFIX's thread about Logons.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import quickfix as fix

from touchline.config import SESSIONS_MAX
from touchline.errors import SessionError
from touchline.fix.desk import Session
from touchline.fix.settings import GatewaySettings, SessionSettings

PASSWORD, RAW_DATA, HEART_BT_INT = 554, 96, 108
LEAVING_S = 0.5
LOGON_TAGS = (PASSWORD, RAW_DATA, HEART_BT_INT)


@dataclass(frozen=True, slots=True)
class Counterparty:
    """A configured session with what QuickFIX calls it."""

    session: Session
    session_id: Any
    password: str | None

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
        self._left = threading.Condition()
        self._comp_id = settings.comp_id
        self._heartbeat_s = settings.heartbeat_s
        for configured in settings.sessions:
            number = numbers.get(configured.comp_id)
            if number is None or number >= SESSIONS_MAX:
                raise SessionError(
                    f"session {configured.comp_id!r} has number {number} in the journal; "
                    f"the venue's start should give it one below {SESSIONS_MAX}"
                )
            session = Session(
                number, configured.comp_id, configured.begin_string, configured.accounts
            )
            session_id = fix.SessionID(
                configured.begin_string, settings.comp_id, configured.comp_id
            )
            counterparty = Counterparty(session, session_id, configured.password)
            self.by_comp_id[configured.comp_id] = self.by_number[number] = counterparty

    def take_up(self, sessions: Iterable[SessionSettings]) -> None:
        """Accounts and passwords as they are configured now, of the sessions that are here."""
        for configured in sessions:
            known = self.by_comp_id.get(configured.comp_id)
            if known is None or known.session.begin_string != configured.begin_string:
                continue
            session = replace(known.session, accounts=configured.accounts)
            fresh = replace(known, session=session, password=configured.password)
            self.by_comp_id[configured.comp_id] = self.by_number[session.number] = fresh

    def came(self, comp_id: str) -> None:
        """QuickFIX has logged the session on."""
        with self._left:
            self._live.add(comp_id)

    def left(self, comp_id: str) -> None:
        """The session is over; harmless when it was not on."""
        with self._left:
            self._live.discard(comp_id)
            self._left.notify_all()

    def live(self) -> list[str]:
        """CompIDs of the sessions that are logged on, in order."""
        with self._left:
            return sorted(self._live)

    def sender(self, raw: str) -> Session:
        """The session a message comes from, by its SenderCompID(49)."""
        start = raw.index("\x0149=") + 4
        return self.by_comp_id[raw[start : raw.index("\x01", start)]].session

    def judge(self, fields: dict[str, str]) -> str:
        """Why a newcomer's Logon does not even reach QuickFIX; "" if it does.

        A wrong password is left to QuickFIX, which answers it, unless the Logon would reset the
        sequence numbers, which QuickFIX does before it asks.
        """
        counterparty = self.by_comp_id.get(fields.get("49", ""))
        if (
            counterparty is None
            or fields.get("8") != counterparty.session.begin_string
            or fields.get("56") != self._comp_id
        ):
            return f"there is no session {fields.get('49')!r} of {fields.get('8')} here"
        comp_id = counterparty.session.comp_id
        with self._left:  # a session that is just ending may be back before its end is noticed
            if not self._left.wait_for(lambda: comp_id not in self._live, LEAVING_S):
                return f"session {comp_id} is logged on already"
        if fields.get("141") == "Y":
            return self._objection(counterparty, fields)
        return ""

    def objection(self, logon: Any, comp_id: str) -> str:
        """Why a Logon that reached QuickFIX is refused; "" if it is not."""
        fields = {str(tag): logon.getField(tag) for tag in LOGON_TAGS if logon.isSetField(tag)}
        return self._objection(self.by_comp_id[comp_id], fields)

    def _objection(self, counterparty: Counterparty, fields: dict[str, str]) -> str:
        expected = counterparty.password
        given = fields.get(str(PASSWORD), fields.get(str(RAW_DATA), ""))
        if expected is not None and not _same(given, expected):
            return "Password(554) is missing or wrong"
        heartbeat = fields.get(str(HEART_BT_INT), "")
        if not heartbeat.isdecimal() or not 1 <= int(heartbeat) <= self._heartbeat_s:
            return f"HeartBtInt(108) must be 1 to {self._heartbeat_s} seconds"
        return ""


def _same(given: str, expected: str) -> bool:
    """Compared in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
