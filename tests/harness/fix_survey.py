"""What a venue offers of FIX, in one place: dictionaries, scripts played, fields tried.

It is what the pages below docs/fix/ and the Orchestra files are written of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.fix_dictionary import DICTIONARIES, Layout, Member, book
from harness.fix_evidence import INSTRUMENTS, NEW, PLAYS, Evidence, gather
from harness.fix_probe import Verdict, Verdicts, path_to, probe
from harness.fix_venue import PartsVenue, venue_config
from touchline.config import Config
from touchline.wire.fix_terms import term_of

Standing = Literal["needed", "read", "harmless", "refused", "untried"]


@dataclass
class Survey:
    evidence: Evidence
    verdicts: Verdicts

    def versions(self, msg_type: str) -> list[str]:
        """Those in which the message goes either way."""
        return [
            version
            for version in DICTIONARIES
            if msg_type in self.evidence.taken[version] | self.evidence.sent[version]
        ]

    def messages(self) -> list[str]:
        both = [self.evidence.taken, self.evidence.sent]
        kinds = {kind for way in both for version in DICTIONARIES for kind in way[version]}
        return sorted(kinds, key=lambda kind: (len(kind), kind))

    def layout(self, version: str, msg_type: str) -> Layout:
        return book(version).messages[msg_type]

    def tried(self, version: str, msg_type: str) -> bool:
        return (version, msg_type) in self.verdicts

    def standing(self, version: str, msg_type: str, tag: int) -> Standing:
        """How the venue takes a field of a request whose every field was tried."""
        verdict = self.verdicts[version, msg_type].get(tag)
        if verdict is None:
            return "untried"
        if verdict.needed:
            return "needed"
        looked_at = msg_type == "D" or bool(verdict.refused)
        if looked_at and term_of(tag) in ("used", "ruled"):
            return "read"
        if verdict.refused:
            return "refused"
        scripted = msg_type != "D" and tag in self.evidence.used[version, msg_type]
        return "read" if scripted else "harmless"

    def verdict(self, version: str, msg_type: str, tag: int) -> Verdict | None:
        return self.verdicts.get((version, msg_type), {}).get(tag)

    def values_sent(self, msg_type: str, tag: int, versions: Iterable[str]) -> list[str]:
        """The values of a field that the venue was heard to send, of its own: no refused ones."""
        wanted = set(versions)
        echo = term_of(tag) in ("used", "ruled")
        return sorted(
            {
                value
                for play in self.evidence.plays
                if play.begin_string in wanted
                for message in play.said
                if not message.sent and message.msg_type == msg_type
                if not (echo and message.value(39) == "8")
                for each, value in message.fields
                if each == tag
            }
        )

    def outermost(self, version: str, msg_type: str, tag: int) -> list[Member]:
        """The way from the message to a field, through the groups it is in."""
        path = path_to(self.layout(version, msg_type).members, tag)
        return path or path_to(book(version).frame.members, tag) or []


def survey(directory: Path) -> Survey:
    """Play and try everything on a venue of its own."""
    assert PLAYS + 2 <= INSTRUMENTS
    plain = venue_config(directory)
    names = dict.fromkeys(name for session in NEW for name in session["accounts"])
    sessions = [session.model_dump() for session in plain.sessions]
    values: dict[str, Any] = {
        "sessions": sessions + [session | {"begin_string": "FIXT.1.1"} for session in NEW],
        "accounts": [{"name": name} for name in [*(a.name for a in plain.accounts), *names]],
        "engine": plain.engine.model_dump() | {"instruments_max": 1024},
        "instruments": [
            {"symbol": f"S{n:02d}", "tick_size": "0.05", "lot_size": "10"}
            for n in range(INSTRUMENTS)
        ],
    }
    venue = PartsVenue(Config.model_validate(plain.model_dump() | values))
    try:
        venue.open()
        verdicts = probe(venue, (f"S{INSTRUMENTS - 1}", f"S{INSTRUMENTS - 2}"))
        return Survey(gather(venue), verdicts)
    finally:
        venue.close()
