"""What a venue takes and says, found by playing every conformance script and reading the wire.

Times and the numbers that count what happened before are replaced, so that the same scripts give
the same evidence; lengths and checksums are those of what is then there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.fix_client import SOH
from harness.fix_conformance import SCRIPTS, known_fault, stage
from harness.fix_dictionary import DICTIONARIES, book
from harness.fix_venue import PartsVenue
from touchline.config import USUAL_PERMISSIONS
from touchline.fix.client import framed
from touchline.fix.script import Script

DATE, TIME, SYMBOL = "20260102", "09:30:00", "ACME"
NOW = f"{DATE}-{TIME}"
# The brokers of FIX 5.0 SP2, as venue_config has those of the other versions.
NEW: list[dict[str, Any]] = [
    {"comp_id": "NEW1", "accounts": ["ACC1N", "ACC1M"]},
    {"comp_id": "NEW2", "accounts": ["ACC2N"]},
    {"comp_id": "NEW3", "accounts": ["ACC3N"], "password": "secret"},
    {"comp_id": "NEW4", "accounts": ["ACC1N", "ACC2N"], "permissions": ["drop-copy"]},
    {
        "comp_id": "NEW5",
        "accounts": ["ACC5N"],
        "permissions": [*USUAL_PERMISSIONS, "news"],
        "pending_reports": True,
    },
    {"comp_id": "NEW6", "accounts": ["ACC5N"], "cl_ord_id_scope": "open"},
    {"comp_id": "NEW7", "accounts": ["ACC5N"], "cl_ord_id_scope": "day"},
]
PLAYS = len(SCRIPTS) * len(DICTIONARIES)
INSTRUMENTS = 600  # the venue's: one for each play, and two to try fields on
# Fields whose values count what happened in the venue before: OrderID, ExecID and their like.
COUNTED = {17, 19, 37, 198, 278, 280, 322, 527, 571, 572, 818, 880, 964, 1003, 1040, 1126, 1127}
DATES = {"UTCDATE", "UTCDATEONLY", "LOCALMKTDATE"}
ADMINISTRATIVE = set("01234") | {"5", "A"}


@dataclass(frozen=True)
class Said:
    """A message on the wire, as it is written down."""

    broker: str
    sent: bool  # by the broker
    fields: tuple[tuple[int, str], ...]

    @property
    def msg_type(self) -> str:
        return next((value for tag, value in self.fields if tag == 35), "")

    def value(self, tag: int) -> str:
        return next((value for each, value in self.fields if each == tag), "")

    def raw(self) -> str:
        """The message with its right length and checksum, | between the fields."""
        body = "".join(f"{tag}={value}{SOH}" for tag, value in self.fields if tag not in (8, 9, 10))
        return framed(self.value(8), body).decode().replace(SOH, "|")


@dataclass
class Play:
    """A script that passed in one version, and what was said in it."""

    script: str
    rule: str
    begin_string: str
    said: list[Said]
    timed: bool  # how much is said is a matter of time


@dataclass
class Evidence:
    """All plays; of each version which MsgTypes are taken, and which are sent."""

    plays: list[Play] = field(default_factory=list)
    taken: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    sent: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    sent_tags: dict[tuple[str, str], list[set[int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    # Of each request that was taken: its fields, with their values.
    used: dict[tuple[str, str], dict[int, set[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )


def fields_of(data: bytes) -> list[tuple[int, str]] | None:
    """The fields of well-formed bytes, or None."""
    try:
        pairs = [pair.split("=", 1) for pair in data.decode().split(SOH)[:-1]]
        fields = [(int(tag), value) for tag, value in pairs]
    except ValueError:
        return None
    right = [tag for tag, _ in fields[:3]] == [8, 9, 35] and fields[-1][0] == 10
    body = "".join(f"{tag}={value}{SOH}" for tag, value in fields[2:-1])
    return fields if right and framed(fields[0][1], body) == data else None


class Cleaner:
    """Makes one play's messages independent of when, where and after what it was played."""

    def __init__(self, begin_string: str, symbol: str) -> None:
        self._types = {tag: one.type for tag, one in book(begin_string).fields.items()}
        self._symbol = re.compile(rf"\b{symbol}\b")
        self._numbers: dict[str, str] = {}

    def _counted(self, value: str) -> str:
        match = re.search(r"[1-9]\d*", value)
        if match is None:
            return value
        number = self._numbers.setdefault(match[0], str(1001 + len(self._numbers)))
        return value.replace(match[0], number, 1)

    def clean(self, tag: int, value: str) -> str:
        if tag in COUNTED:
            return self._counted(value)
        kind = self._types.get(tag, "")
        if kind == "UTCTIMESTAMP" and re.fullmatch(r"20\d{6}-\d\d:\d\d:\d\d(\.\d+)?", value):
            return NOW + re.sub(r"\d", "0", value[len(NOW) :])
        if kind == "UTCTIMEONLY" and re.fullmatch(r"\d\d:\d\d:\d\d(\.\d+)?", value):
            return TIME + re.sub(r"\d", "0", value[len(TIME) :])
        if kind in DATES and re.fullmatch(r"20\d{6}", value):
            return DATE
        if tag == 58:
            value = re.sub(r"\d{8,}", lambda found: self._numbers.get(found[0], found[0]), value)
        return self._symbol.sub(SYMBOL, value)


def said_in(script: Script, begin_string: str, symbol: str) -> Iterator[Said]:
    """What was said, but for the players' own question whether nothing more has come."""
    cleaner = Cleaner(begin_string, symbol)
    asked: set[str] = set()
    for broker, sent, data in script.wire.messages:
        fields = fields_of(data)
        if fields is None:
            continue
        test = next((value for tag, value in fields if tag == 112), "")
        if sent and ".def:" in test:
            asked.add(test)
        if test not in asked:
            yield Said(broker, sent, tuple((tag, cleaner.clean(tag, v)) for tag, v in fields))


def rule_of(path: Path) -> str:
    return path.read_text().splitlines()[0].removeprefix("#").strip()


def gather(venue: PartsVenue) -> Evidence:
    """Play every script in every version. In FIX 5.0 SP2 one that fails says nothing."""
    found = Evidence()
    jobs = [(path, version) for version in DICTIONARIES for path in SCRIPTS]
    for number, (path, version) in enumerate(jobs):
        if known_fault("native", path.stem):
            continue
        script = Script(path, stage(venue, version, f"S{number:02d}"), version)
        try:
            script.run()
        except AssertionError:
            if version != "FIXT.1.1":
                raise
            continue
        said = list(said_in(script, version, f"S{number:02d}"))
        timed = re.search(r"^(4\.[24]:)?U", path.read_text(), re.MULTILINE) is not None
        found.plays.append(Play(path.stem, rule_of(path), version, said, timed))
        note(found, version, said)
    return found


def refused_type(message: Said) -> str:
    """The MsgType that an answer says is not offered, or ""."""
    reason = {"j": (380, "3"), "3": (373, "11")}.get(message.msg_type)
    return message.value(372) if reason and message.value(reason[0]) == reason[1] else ""


# Of an answer that may say either: the field that says it, and when all is well.
GRANTED = {"r": (531, "1234567"), "AQ": (749, "0"), "y": (560, "0")}


def refuses(message: Said) -> bool:
    if message.msg_type in GRANTED:
        tag, good = GRANTED[message.msg_type]
        return message.value(tag) not in good
    return message.msg_type in ("3", "j", "9", "Y") or message.value(39) == "8"


def answered(said: list[Said], at: int) -> bool:
    """Whether a request was followed by something else than a Reject of it, or by nothing."""
    request = said[at]
    for message in said[at + 1 :]:
        if not message.sent and message.broker == request.broker:
            return not (refuses(message) or (message.msg_type == "5" != request.msg_type))
        if message.sent and message.broker == request.broker and message.msg_type == "A":
            return False
    return False


def note(found: Evidence, version: str, said: list[Said]) -> None:
    refused = {refused_type(message) for message in said}
    known = book(version).messages
    for at, message in enumerate(said):
        kind = message.msg_type
        if kind not in known:
            continue
        tags = {tag for tag, _ in message.fields}
        if not message.sent:
            found.sent[version].add(kind)
            found.sent_tags[version, kind].append(tags)
        elif kind not in refused:
            found.taken[version].add(kind)
            if answered(said, at):
                for tag, value in message.fields:
                    found.used[version, kind][tag].add(value)
