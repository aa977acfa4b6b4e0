"""What an operator tells sessions by News(B), while the gateway runs.

    {"ask": "news", "headline": "The venue closes at 16:00", "lines": [], "urgent": false,
     "sessions": ["BROKER1"], "accounts": [], "permissions": [], "all": false}

It goes to every session that is named, or has one of the accounts or permissions, here or away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from touchline.errors import SessionError
from touchline.fix.operators import Facts, Step
from touchline.fix.settings import SessionSettings

LOG = logging.getLogger("touchline.fix")
NEWS_BYTES_MAX = 4096
CHOICES = ("sessions", "accounts", "permissions")


@dataclass(frozen=True, slots=True)
class Notice:
    """A headline and the lines below it."""

    headline: str
    lines: tuple[str, ...]
    urgent: bool

    @property
    def text(self) -> str:
        return "\n".join((self.headline, *self.lines))


class Notices:
    """Sends what is asked to be said. `send` hands a notice to sessions by number, and gives what
    tells whether all of them have it in their stores."""

    def __init__(
        self,
        sessions: Mapping[int, SessionSettings],
        send: Callable[[list[int], Notice], Callable[[], bool]],
    ) -> None:
        self._sessions = sessions
        self._send = send

    def ask(self, asked: Facts) -> Step:
        """SessionError for what can not be said, or nobody to say it to."""
        notice = read_notice(asked)
        numbers = self._chosen(asked)
        stored = self._send(numbers, notice)
        names = [self._sessions[number].comp_id for number in numbers]
        LOG.warning("an operator told %d sessions: %s", len(names), notice.headline)
        return lambda: {"sessions": names} if stored() else None

    def _chosen(self, asked: Facts) -> list[int]:
        if asked.get("all") is True:
            return sorted(self._sessions)
        wanted = {choice: _texts(asked, choice) for choice in CHOICES}
        held = {
            number: {
                "sessions": {one.comp_id},
                "accounts": set(one.accounts),
                "permissions": set(one.permissions),
            }
            for number, one in self._sessions.items()
        }
        for choice, names in wanted.items():
            for name in names:
                if not any(name in one[choice] for one in held.values()):
                    raise SessionError(f"no session has {choice.removesuffix('s')} {name!r:.80}")
        return sorted(n for n, one in held.items() if any(one[c] & set(wanted[c]) for c in CHOICES))


def read_notice(asked: Facts) -> Notice:
    """What is to be said; SessionError for what no message can carry."""
    headline, lines = asked.get("headline"), _texts(asked, "lines")
    if not isinstance(headline, str):
        raise SessionError("there is no headline")
    for text in (headline, *lines):
        if not text or not text.isprintable():
            raise SessionError(f"{text!r:.80} is empty, or has characters that can not be printed")
    notice = Notice(headline, tuple(lines), asked.get("urgent") is True)
    if (size := len(notice.text.encode())) > NEWS_BYTES_MAX:
        raise SessionError(f"the news are {size} bytes; allowed are {NEWS_BYTES_MAX}")
    return notice


def _texts(asked: Facts, name: str) -> list[Any]:
    texts = asked.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise SessionError(f"{name} is no list of texts")
    return texts
