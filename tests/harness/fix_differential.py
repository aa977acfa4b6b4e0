"""Hostile messages to QuickFIX's parser and to ours: every difference is of a kind named here.

    python -m harness.fix_differential [MESSAGES [SEED]]
    python -m harness.fix_differential --corpus DIRECTORY    writes the messages it begins with

Messages are those of the conformance scripts and some with groups and data, with fields changed,
moved, doubled, taken away and torn. Both say which SessionRejectReason(373) and which tag; where
they differ, `KINDS` must have the reason for it, or the run fails and prints the message.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import quickfix

from touchline.wire import fix_message

SOH = "\x01"
SCRIPTS = Path(__file__).resolve().parents[1] / "fix" / "conformance"
DICTIONARIES = Path(sys.prefix) / "share" / "quickfix"
VERSIONS = ("FIX.4.2", "FIX.4.4")
HEAD = "49=A|56=B|34=7|52=20260102-03:04:05.678|"
ORDER = "11=x|21=1|55=S|54=1|60=20260102-03:04:05|38=1|40=2|44=1.5|"
OTHERS = (
    f"35=D|{HEAD}{ORDER}",
    f"35=D|{HEAD}11=x|55=S|54=1|60=20260102-03:04:05|38=1|40=2|44=1.5|453=2|448=a|447=D|452=1|"
    "802=1|523=s|803=1|448=b|447=D|452=3|58=t|354=3|355=a=b|",
    f"35=A|{HEAD}98=0|108=30|95=7|96=a|141=N|141=Y|553=u|554=p|",
    f"35=2|{HEAD}7=1|16=0|",
    f"35=V|{HEAD}262=r|263=1|264=1|267=2|269=0|269=1|146=1|55=S|",
    f"35=D|{HEAD}212=5|213=<|38=|{ORDER}18=1 6|5001=u|",
    f"35=D|{HEAD}627=1|628=h|{ORDER}",
)
TAGS = "1 7 8 9 10 11 15 18 21 34 35 38 40 44 49 52 54 55 58 59 60 78 89 93 95 96 99 110 122 126 "
TAGS += "141 200 205 212 213 268 269 354 355 447 448 452 453 523 627 628 802 803 957 999 5000 9999"
VALUES: tuple[str, ...] = (
    "",
    "0",
    "-1",
    "1",
    "2",
    "3",
    "Z",
    "1.5",
    "-.",
    "00001",
    "9" * 40,
    "Y",
    "N",
    "x y",
    "é",
)
VALUES += ("20260102-03:04:05", "20260230-00:00:00", "20260102", "202613", "a=b", " ", "\0", "1e5")
REASONS = {
    "InvalidTagNumber": 0,
    "RequiredTagMissing": 1,
    "TagNotDefinedForMessage": 2,
    "NoTagValue": 4,
    "IncorrectTagValue": 5,
    "IncorrectDataFormat": 6,
    "InvalidMessageType": 11,
    "RepeatedTag": 13,
    "TagOutOfOrder": 14,
    "RepeatingGroupCountMismatch": 16,
}
DROPPED = (-2, 0)  # without a word
BROKEN = (-3, 0)


@dataclass(frozen=True)
class Case:
    """A message, and what both say: (373, 371)."""

    version: str
    fields: list[str]
    ours: tuple[int, int]
    theirs: tuple[int, int]

    def has(self, *tags: int) -> bool:
        return any(text.startswith(f"{tag}=") for tag in tags for text in self.fields)

    def values(self, tag: int) -> list[str]:
        return [text.partition("=")[2] for text in self.fields if text.startswith(f"{tag}=")]


def torn(case: Case) -> bool:
    """A field is not TAG=VALUE, or its tag has a sign or a leading zero, or is above 99999."""
    good = re.compile(r"[1-9][0-9]{0,4}=", re.ASCII)
    bad = [text for text in case.fields if not good.match(text)]
    return bool(bad) and (case.ours[0] == 0 or (case.ours == DROPPED and case.fields[0] in bad))


def broken(case: Case) -> bool:
    """A length that is no number of bytes of the message: QuickFIX fails in its own code."""
    return case.theirs == BROKEN and case.ours[0] >= 0


def framing(case: Case) -> bool:
    """8, 9 or 10 once more: QuickFIX drops the message, here the field is refused, or its place."""
    return case.has(8, 9, 10) and case.theirs == DROPPED and case.ours != DROPPED


def data_alone(case: Case) -> bool:
    """Data without its length before it, or a length without its data: dropped or taken."""
    return case.ours[0] == 6 and case.ours[1] in DATA_TAGS | LENGTH_TAGS


def credentials(case: Case) -> bool:
    """553 and 554 in a Logon of FIX 4.2, which its dictionary does not have."""
    return case.version == "FIX.4.2" and case.has(553, 554) and case.theirs[1] in (553, 554)


def looked_into(case: Case) -> bool:
    """NUL, a date that does not exist, a month, its day, 4 decimals: taken; here 373 = 6."""
    bad = re.compile(r"\0|20260230|:\d\d\.(?!(?:\d{3}){1,3}$)\d*$", re.ASCII)
    values = case.values(case.ours[1])
    return case.ours[0] == 6 and (case.ours[1] in MONTHS or any(map(bad.search, values)))


def doubled(case: Case) -> bool:
    """Of two fields of one tag, both wrong, QuickFIX may name the second one's fault."""
    return case.ours[1] == case.theirs[1] and len(case.values(case.ours[1])) > 1


def hops(case: Case) -> bool:
    """NoHops(627): QuickFIX has it in the header of FIX 4.2, too, and never counts its entries."""
    return case.has(627, 628)


def later_header(case: Case) -> bool:
    """Tags of the header of FIXT.1.1, which QuickFIX takes for the header's in every version."""
    return case.has(1128, 1129, 1156) and case.theirs[1] in (1128, 1129, 1156)


def entries(case: Case) -> bool:
    """Within an entry QuickFIX looks at nothing, and a field that is there twice begins another."""
    if not case.has(*COUNTS):
        return False
    if case.theirs[0] in (1, 16) and case.theirs[1] in MEMBERS.union(COUNTS):
        return True
    return case.ours[1] in MEMBERS if case.ours[0] != 16 else case.ours[1] in COUNTS


MONTHS = (200, 205)
COUNTS = (78, 146, 267, 268, 453, 802)
MEMBERS = {55, 79, 80, 269, 270, 447, 448, 452, 523, 802, 803}
LENGTH_TAGS = {90, 93, 95, 212, 348, 350, 352, 354, 356, 358, 360, 362, 364, 445, 618, 621}
DATA_TAGS = {89, 91, 96, 213, 349, 351, 353, 355, 357, 359, 361, 363, 365, 446, 619, 622}
KINDS: tuple[Callable[[Case], bool], ...] = (
    torn,
    broken,
    framing,
    data_alone,
    credentials,
    looked_into,
    doubled,
    hops,
    later_header,
    entries,
)


def seeds() -> list[str]:
    """Bodies from MsgType(35) on, as the scripts send them; '|' for SOH."""
    found = list(OTHERS)
    for path in sorted(SCRIPTS.glob("*.def")):
        for line in path.read_text().splitlines():
            sent = re.match(r"(?:4\.[24]:)?I[1-4]? (35=[^|]*)\|(.*)$", line)
            if sent:
                fields = re.sub(r"\$\w+(?:[+-]\d+)?|4\.[24]:", "x", sent[2])
                found.append(f"{sent[1]}|{HEAD}{ORDER}{fields}|")
    return sorted(set(found)) + list(OTHERS) * 8


def changed(chance: random.Random, body: str) -> list[str]:
    """Fields of a body with up to four changes."""
    fields = body.strip("|").split("|")
    for _ in range(chance.randrange(5)):
        at, kind = chance.randrange(len(fields)), chance.randrange(8)
        new = f"{chance.choice(TAGS.split())}={chance.choice(VALUES)}"
        if kind == 0:
            fields[at] = fields[at].partition("=")[0] + "=" + chance.choice(VALUES)
        elif kind == 1:
            fields.insert(at, new)
        elif kind == 2:
            fields.append(new)
        elif kind == 3 and len(fields) > 2:
            del fields[at]
        elif kind == 4:
            fields.insert(at, chance.choice(fields))
        elif kind == 5:
            fields.insert(at, fields.pop(chance.randrange(len(fields))))
        elif kind == 6:
            place = chance.randrange(len(fields[at]) + 1)
            piece = chance.choice("0=.-: Yx9\x7fé")
            fields[at] = fields[at][:place] + piece + fields[at][place + chance.randrange(2) :]
        else:
            place = chance.randrange(len(fields[at]) + 1)
            fields[at : at + 1] = [fields[at][:place], fields[at][place:]]
    return fields


def framed(version: str, fields: list[str]) -> bytes:
    body = "".join(text + SOH for text in fields).encode()
    whole = f"8={version}{SOH}9={len(body)}{SOH}".encode() + body
    return whole + f"10={sum(whole) % 256:03d}{SOH}".encode()


class Sides:
    """Both parsers in one version."""

    def __init__(self, version: str) -> None:
        self.version = version
        path = DICTIONARIES / f"{version.replace('.', '')}.xml"
        self.dictionary = quickfix.DataDictionary(str(path))
        self.dictionary.checkUserDefinedFields(False)

    def ours(self, whole: bytes) -> tuple[int, int]:
        found = fix_message.framed(whole)
        if found is None:
            return DROPPED
        skip, size = found
        examined = fix_message.examine(whole[skip : skip + size], self.version)
        return DROPPED if examined is None else (examined.verdict.reason, examined.verdict.ref_tag)

    def theirs(self, whole: bytes) -> tuple[int, int]:
        text = whole.decode("utf-8", "surrogateescape")
        try:
            message = quickfix.Message(text, self.dictionary, True)
            self.dictionary.validate(message)
        except quickfix.InvalidMessage:
            return DROPPED
        except RuntimeError:  # from inside its C++
            return BROKEN
        except Exception as e:
            if type(e).__name__ not in REASONS:
                raise
            return REASONS[type(e).__name__], getattr(e, "field", 0)
        return -1, 0


LENGTH = re.compile(r"[-+0 ]*(?:90|93|95|212|348|35[0246]|358|36[024]|445|618|621)=(.*)", re.DOTALL)


def dangerous(fields: list[str]) -> bool:
    """A length that QuickFIX aborts at, or reads past the end by: it is not shown to it."""
    found = (LENGTH.match(text) for text in fields)
    return any(length and not re.fullmatch(r"[0-9]{1,2}", length[1]) for length in found)


def run(messages: int, seed: int) -> Counter[str]:
    """How often which kind of difference was met; AssertionError at one of no kind."""
    chance = random.Random(seed)
    sides = [Sides(version) for version in VERSIONS]
    bodies = seeds()
    met: Counter[str] = Counter()
    for _ in range(messages):
        side = chance.choice(sides)
        fields = changed(chance, chance.choice(bodies))
        whole = framed(side.version, fields)
        if dangerous(fields):
            met["not shown"] += 1
            continue
        case = Case(side.version, fields, side.ours(whole), side.theirs(whole))
        if case.ours == case.theirs:
            met["the same"] += 1
            continue
        kinds = [kind.__name__ for kind in KINDS if kind(case)]
        assert kinds, f"a difference of no kind: {case}"
        met[kinds[0]] += 1
    return met


def main() -> None:
    if sys.argv[1:2] == ["--corpus"]:
        for number, body in enumerate(sorted(set(seeds()))):
            whole = framed(VERSIONS[number % 2], body.strip("|").split("|"))
            (Path(sys.argv[2]) / f"{number:04}.fix").write_bytes(whole)
        return
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for kind, count in run(messages, seed).most_common():
        print(f"{count:10} {kind}")


if __name__ == "__main__":
    main()
