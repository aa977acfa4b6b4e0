"""What a venue makes of each field of an order's messages, found by sending it.

A request is sent that is taken as it stands, with one field more: then it is taken all the same, or
refused in words. A field with a list of values that the venue reads is sent with each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from harness.fix_client import Message, utc_now
from harness.fix_conformance import stage
from harness.fix_dictionary import DICTIONARIES, Book, Field, Layout, Member, book
from harness.fix_evidence import SYMBOL
from harness.fix_venue import PartsVenue
from touchline.fix.client import Connection, utc_in
from touchline.wire.fix_terms import term_of

REQUESTS = ("D", "F", "G", "H")
OTHER_PHASE = "rule 9.2"  # in a refusal of what another trading phase takes
NUMBERS = {"INT", "QTY", "PRICE", "PRICEOFFSET", "AMT", "FLOAT", "PERCENTAGE", "NUMINGROUP"}
NUMBERS |= {"LENGTH", "SEQNUM", "DAYOFMONTH", "TAGNUM"}
VALUES = dict.fromkeys(NUMBERS, "1") | {
    "BOOLEAN": "Y",
    "UTCTIMESTAMP": "20260102-09:30:00",
    "TZTIMESTAMP": "20260102-09:30:00Z",
    "UTCTIMEONLY": "09:30:00",
    "TZTIMEONLY": "09:30Z",
    "LOCALMKTTIME": "09:30:00",
    "UTCDATE": "20260102",
    "UTCDATEONLY": "20260102",
    "LOCALMKTDATE": "20260102",
    "MONTHYEAR": "202601",
    "CURRENCY": "USD",
    "COUNTRY": "US",
    "LANGUAGE": "en",
}


@dataclass
class Verdict:
    """What became of a request with this field: refused in these words, or "" when taken."""

    refused: str
    zero_passes: bool = False
    needed: bool = False  # a request without it is refused
    values: dict[str, str] = field(default_factory=dict)  # of those that pass: what they mean


def plausible(one: Field) -> str:
    return next(iter(one.values)) if one.values else VALUES.get(one.type, "X")


def path_to(members: list[Member], tag: int) -> list[Member] | None:
    """From a field of the message to the one of this tag, through the groups it is in."""
    for member in members:
        if member.tag == tag:
            return [member]
        if (inner := path_to(member.members, tag)) is not None:
            return [member, *inner]
    return None


def entry(path: list[Member], value: str, of: Book) -> Iterator[tuple[int, str]]:
    """The fields that put the last one of a path into a message, with this value."""
    member, rest = path[0], path[1:]
    if not member.members:
        yield from data_pair(member.field, value, of)
        return
    last = not rest
    yield member.tag, "0" if last and value == "0" else "1"
    if last and value == "0":
        return
    first = member.members[0]
    inner = {first.tag: [first]} | {m.tag: [m] for m in member.members if m.required}
    if rest:
        inner[rest[0].tag] = rest
    for one in inner.values():
        yield from entry(one, value if one is rest else plausible(one[-1].field), of)


def data_pair(one: Field, value: str, of: Book) -> list[tuple[int, str]]:
    """A field of bytes stands behind its length, and the length before the bytes."""
    if one.type in ("DATA", "XMLDATA"):
        names = (one.name + "Len", one.name + "Length", one.name.replace("Security", "Sec") + "Len")
        length = next(each.tag for each in of.fields.values() if each.name in names)
        return [(length, "1"), (one.tag, "x")]
    if one.type == "LENGTH":
        for each in of.fields.values():
            if each.type in ("DATA", "XMLDATA") and data_pair(each, "", of)[0][0] == one.tag:
                return [(one.tag, "1"), (each.tag, "x")]
    return [(one.tag, value)]


class Prober:
    """One session of one version, with an open order for what refers to one."""

    def __init__(self, venue: PartsVenue, begin_string: str, symbols: tuple[str, str]) -> None:
        self.book = book(begin_string)
        place = stage(venue, begin_string, "")
        comp_ids = (place.brokers["1"].comp_id, place.target)
        self._client = Connection(place.address, comp_ids, begin_string, source=place.source)
        self._version = ["1137=9"] if begin_string == "FIXT.1.1" else []
        self._numbers = count(1)
        self._symbol, self._order_symbol = symbols
        self._order = ""
        self._prices = ("10.00", "10.05")

    def __enter__(self) -> Prober:
        assert self._client.logon(*self._version)["35"] == "A"
        for side, tif in (("1", "1"), ("2", "3")):  # a trade: what waits for a price needs one
            terms = self._terms(self._symbol, tif) | {54: side}
            assert self._ask("D", list(terms.items())).get("39") == "0"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _new_name(self) -> str:
        return f"{self._symbol}-{next(self._numbers)}"

    def _terms(self, symbol: str, tif: str) -> dict[int, str]:
        terms = {11: self._new_name(), 21: "1", 55: symbol, 54: "1", 38: "100", 40: "2"}
        return terms | {44: self._prices[0], 59: tif, 60: utc_now()}

    def request(self, msg_type: str) -> dict[int, str]:
        """One that is taken as it stands."""
        if msg_type == "D":
            return self._terms(self._symbol, "3")
        if not self._order:
            terms = self._terms(self._order_symbol, "1")
            assert self._ask("D", list(terms.items())).get("39") == "0"
            self._order = terms[11]
        base = {11: self._order, 55: self._order_symbol, 54: "1"}
        if msg_type == "H":
            return base
        base |= {11: self._new_name(), 41: self._order, 38: "100", 60: utc_now()}
        if msg_type == "G":
            self._prices = self._prices[::-1]
            base |= {21: "1", 40: "2", 44: self._prices[0], 59: "1"}
        return base

    def _ask(self, msg_type: str, fields: list[tuple[int, str]]) -> Message:
        """The first answer to a request: of its ClOrdID, or that names its number."""
        number, name = str(self._client.next_seq), dict(fields).get(11)
        self._client.send(msg_type, *(f"{tag}={value}" for tag, value in fields))
        while True:
            answer = self._client.application()
            if answer["35"] in ("8", "9") and name is not None and answer.get("11") == name:
                return answer
            if answer["35"] in ("3", "j", "8", "9") and answer.get("45") == number:
                return answer
            assert answer["35"] != "5", (fields, answer)

    def ask(self, msg_type: str, more: list[tuple[int, str]], without: int = 0) -> Message | None:
        """The refusal of a request with these fields, or None when it was taken."""
        base = self.request(msg_type)
        given = {tag for tag, _ in more} | {without}
        fields = [(tag, value) for tag, value in base.items() if tag not in given] + more
        first = self._ask(msg_type, fields)
        if first["35"] != "8" or first.get("39") == "8":
            return first
        if msg_type in ("F", "G"):
            self._order = first["11"] if msg_type == "G" else ""
        return None

    def words(self, refusal: Message) -> str:
        text = refusal.get("58", "").partition(", which is ")[0].replace(self._symbol, SYMBOL)
        return text.replace(self._order_symbol, SYMBOL) or f"MsgType {refusal['35']}"

    def takes(self, tag: int, value: str) -> bool:
        """Whether a new order may have this value, alone or with what belongs to it."""
        tried = [[(tag, value)]]
        if tag in (18, 40):  # post-only and most types of orders must be able to rest
            tried += [[*tried[0], (59, "0")], [*tried[0], (59, "0"), (99, "10.50")]]
        if tag == 59:
            tried += [[*tried[0], (126, utc_in(3600))]]
        answers = (self.ask("D", more, without) for more in tried for without in (0, 44))
        return any(answer is None or OTHER_PHASE in answer.get("58", "") for answer in answers)

    def verdict(self, msg_type: str, layout: Layout, tag: int) -> Verdict | None:
        """None: no message with this field was one that FIX allows."""
        path = path_to(layout.members, tag)
        assert path is not None
        one = path[-1].field
        fields = list(entry(path, plausible(one), self.book))
        refusal = self.ask(msg_type, fields)
        if refusal is not None and refusal["35"] == "3":
            return None
        found = Verdict("" if refusal is None else self.words(refusal))
        if refusal is not None and one.type in NUMBERS and not one.values:
            found.zero_passes = self.ask(msg_type, list(entry(path, "0", self.book))) is None
        if msg_type == "D" and one.values and term_of(tag) in ("used", "ruled"):
            for value, meaning in one.values.items():
                if self.takes(tag, value):
                    found.values[value] = meaning
        return found


Verdicts = dict[tuple[str, str], dict[int, Verdict | None]]


def probe(venue: PartsVenue, symbols: tuple[str, str]) -> Verdicts:
    """Of each version and request: every field of it that is not of the header."""
    found: Verdicts = {}
    for version in DICTIONARIES:
        with Prober(venue, version, symbols) as prober:
            for msg_type in REQUESTS:
                layout = prober.book.messages[msg_type]
                base = prober.request(msg_type)
                tags = [tag for tag in layout.flat() if term_of(tag) != "frame"]
                verdicts: dict[int, Verdict | None] = {}
                found[version, msg_type] = verdicts
                for tag in tags:
                    plain = tag in base and (msg_type != "D" or not prober.book.fields[tag].values)
                    one = Verdict("") if plain else prober.verdict(msg_type, layout, tag)
                    if one is not None and tag in base:
                        one.needed = prober.ask(msg_type, [], without=tag) is not None
                    verdicts[tag] = one
    return found
