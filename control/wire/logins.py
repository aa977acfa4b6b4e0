"""Who may log in to the binary protocols: the policy of FIX's Logons, asked of SoupBinTCP's.

Belongs to the part's own thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from touchline.config import WireSessionSection
from touchline.fix.policy import Policy
from touchline.fix.settings import SessionSettings
from touchline.wire.wire_server import WireQuestion, WireServer

LOG = logging.getLogger("touchline.wire")
HEARTBEAT_S = 1  # as SoupBinTCP has it


@dataclass(frozen=True, slots=True)
class Login:
    """A login as the policy looks at it."""

    address: str
    username: str
    password: str
    certificate: str = ""
    heartbeat_s: int = HEARTBEAT_S


class Logins:
    """Judges logins. `numbers` are those of usernames in the journal."""

    def __init__(
        self,
        sections: tuple[WireSessionSection, ...],
        numbers: Mapping[str, int],
        clock: Callable[[], float],
    ) -> None:
        self._policy = Policy(HEARTBEAT_S, clock)
        self._numbers = dict(numbers)
        self._users = {section.username: _settings(section) for section in sections}

    def answer(self, server: WireServer, question: WireQuestion) -> None:
        """Give the verdict."""
        server.verdict(question, self._session(question))

    def _session(self, question: WireQuestion) -> int | None:
        user = self._users.get(question.username)
        login = Login(question.address, question.username, question.password)
        name, place = question.username, f"{question.address}, port {question.port}"
        if user is None:
            LOG.warning("login of %r from %s refused: there is no such user", name, place)
            return None
        try:
            refusal = self._policy.refusal(user, login)
        except Exception:
            LOG.exception("a login could not be judged")
            return None
        if refusal is not None:
            LOG.warning("login of %r from %s refused", name, place)
            return None
        LOG.info("login: %s from %s", name, place)
        return self._numbers[question.username]


def _settings(section: WireSessionSection) -> SessionSettings:
    return SessionSettings(
        section.username,
        "",
        tuple(section.firms.values()),
        password=section.password,
        password_hash=section.password_hash,
        enabled=section.enabled,
        addresses=section.addresses,
    )
