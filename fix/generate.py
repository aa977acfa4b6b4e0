"""Write ext/touchline/wire/fix_tables.c and fix/glossary.json from the data dictionaries that
QuickFIX installs: what the codec checks, and what people call it.

    python fix/generate.py [DIRECTORY_OF_THE_DICTIONARIES]

A developer runs it when a dictionary or the layout of fix_tables.h changes, and commits the
output. It needs nothing but the standard library.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

Node = ElementTree.Element

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "ext" / "touchline" / "wire" / "fix_tables.c"
GLOSSARY = ROOT / "fix" / "glossary.json"
DIALECT = ROOT / "ext" / "touchline" / "wire" / "fix_dialect.h"
DICTIONARIES = ("FIX42", "FIX44", "FIXT11", "FIX50SP2")
# FIX 4.2's Logon may carry what FIX 4.3's may.
CREDENTIALS = ((553, "Username"), (554, "Password"))
MEMBERS_MAX = 512  # TL_FIX_MEMBERS_MAX in fix_tables.h
DEPTH_MAX = 8  # TL_FIX_DEPTH_MAX
PAGE = 64  # tags whose rows stand together, and whose bits make a word
NO_ROW = "{0}"
LOW_TAGS = 1024  # TL_FIX_LOW_TAGS in fix_message.h
HEADER, TRAILER, COUNT, LENGTH, DATA = 1, 2, 4, 8, 16
TYPES = {
    "CHAR": "CHAR",
    "BOOLEAN": "BOOLEAN",
    "INT": "INT",
    "NUMINGROUP": "INT",
    "LENGTH": "UINT",
    "SEQNUM": "UINT",
    "DAYOFMONTH": "DAY",
    "PRICE": "DECIMAL",
    "PRICEOFFSET": "DECIMAL",
    "QTY": "DECIMAL",
    "AMT": "DECIMAL",
    "FLOAT": "DECIMAL",
    "PERCENTAGE": "DECIMAL",
    "UTCTIMESTAMP": "TIMESTAMP",
    "TIME": "TIMESTAMP",
    "UTCTIMEONLY": "TIME",
    "UTCDATE": "DATE",
    "UTCDATEONLY": "DATE",
    "LOCALMKTDATE": "DATE",
    "MONTHYEAR": "MONTH",
    "MULTIPLEVALUESTRING": "TOKENS",
    "MULTIPLESTRINGVALUE": "TOKENS",
    "MULTIPLECHARVALUE": "TOKENS",
    "DATA": "DATA",
    "XMLDATA": "DATA",
}


@dataclass
class Pool:
    """Lists of numbers end to end, each kept once."""

    numbers: list[int] = field(default_factory=list)
    places: dict[tuple[int, ...], int] = field(default_factory=dict)

    def add(self, numbers: tuple[int, ...]) -> int:
        if numbers not in self.places:
            self.places[numbers] = len(self.numbers)
            self.numbers += numbers
        return self.places[numbers]


@dataclass
class Body:
    """What a message, header, trailer or entry of a group may hold, tags in their order."""

    tags: list[int] = field(default_factory=list)
    required: set[int] = field(default_factory=set)
    groups: dict[int, int] = field(default_factory=dict)  # count tag to index of the group


class Dictionary:
    def __init__(self, name: str, tree: Node) -> None:
        self.name = name
        self.tree = tree
        self.tags = {
            node.attrib["name"]: int(node.attrib["number"]) for node in tree.findall("fields/field")
        }
        self.components = {
            node.attrib["name"]: node for node in tree.findall("components/component")
        }
        self.pool = Pool()
        self.groups: list[tuple[int, ...]] = []
        self.counts: set[int] = set()

    def child(self, name: str) -> Body:
        node = self.tree.find(name)
        return Body() if node is None else self.body(node)

    def body(self, node: Node, depth: int = 0) -> Body:
        body = Body()
        self.collect(node, body, True, depth)
        return body

    def collect(self, node: Node, body: Body, required: bool, depth: int) -> None:
        for child in node:
            needed = required and child.get("required", "N") in "Yy"
            if child.tag == "component":
                self.collect(self.components[child.attrib["name"]], body, needed, depth)
                continue
            tag = self.tags[child.attrib["name"]]
            if tag not in body.tags:
                body.tags.append(tag)
            if needed:
                body.required.add(tag)
            if child.tag == "group":
                body.groups[tag] = self.group(tag, child, depth + 1)

    def group(self, tag: int, node: Node, depth: int) -> int:
        assert depth <= DEPTH_MAX, (self.name, tag)
        body = self.body(node, depth)
        members = tuple(sorted(body.tags))
        assert 0 < len(members) <= MEMBERS_MAX
        needed = tuple(at for at, member in enumerate(members) if member in body.required)
        inner = self.inner(body)
        row = (
            tag,
            body.tags[0],
            self.pool.add(members),
            len(members),
            self.pool.add(needed),
            len(needed),
            self.pool.add(inner),
            len(inner),
        )
        self.counts.add(tag)
        if row not in self.groups:
            self.groups.append(row)
        return self.groups.index(row)

    def inner(self, body: Body) -> tuple[int, ...]:
        return tuple(body.groups[tag] for tag in sorted(body.groups))


def load(directory: Path, name: str) -> Dictionary:
    tree = ElementTree.parse(directory / f"{name}.xml").getroot()
    if name == "FIX42":
        fields, logon = tree.find("fields"), tree.find("messages/message[@msgtype='A']")
        assert fields is not None
        assert logon is not None
        for number, title in CREDENTIALS:
            ElementTree.SubElement(fields, "field", number=str(number), name=title, type="STRING")
            ElementTree.SubElement(logon, "field", name=title, required="N")
    return Dictionary(name, tree)


def msg_types() -> dict[str, str]:
    """MsgType to the name of its constant, as fix_dialect.h lists them."""
    rows = re.findall(r'^\s+X\((\w+), "(\w+)"\)', DIALECT.read_text(), re.MULTILINE)
    return {text: name for name, text in rows}


def array(kind: str, name: str, rows: list[str]) -> list[str]:
    """A C array whose rows are filled into lines of at most 100 columns."""
    lines, line = [f"static const {kind} {name}[] = {{"], "   "
    for row in rows or ["0"]:
        if len(line) + len(row) + 2 > 99:
            lines.append(line)
            line = "   "
        line += f" {row},"
    return [*lines, line, "};"]


def braces(row: tuple[int | str, ...]) -> str:
    return "{" + ", ".join(map(str, row)) + "}" if any(row) else NO_ROW


def partners(dictionary: Dictionary) -> dict[int, tuple[int, int]]:
    """Of each length and data field: its flag, and the tag of the other."""
    found = {}
    kinds = {
        node.attrib["name"]: node.attrib["type"]
        for node in dictionary.tree.iter("field")
        if "type" in node.attrib
    }
    for name, tag in dictionary.tags.items():
        if TYPES.get(kinds[name]) != "DATA":
            continue
        names = (name + "Len", name + "Length", name.replace("Security", "Sec") + "Len")
        lengths = [
            dictionary.tags[title] for title in dict.fromkeys(names) if title in dictionary.tags
        ]
        assert len(lengths) == 1, (dictionary.name, name)
        found[tag] = (DATA, lengths[0])
        found[lengths[0]] = (LENGTH, tag)
    return found


class Writer:
    """The arrays of one dictionary."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.session: Writer | None = None  # of header and trailer, where it is another one
        self.prefix = dictionary.name.lower()
        self.header = dictionary.child("header")
        self.trailer = dictionary.child("trailer")
        nodes = dictionary.tree.findall("messages/message")
        self.messages = sorted(
            (
                (node.attrib["msgtype"], node.get("msgcat") == "admin", dictionary.body(node))
                for node in nodes
            ),
            key=lambda row: row[0].encode(),
        )
        nodes = dictionary.tree.findall("fields/field")
        self.fields = sorted(nodes, key=lambda node: int(node.attrib["number"]))
        tags = [int(node.attrib["number"]) for node in self.fields]
        self.tag_max = tags[-1]
        # Page 0 is empty: there stand all tags of a page without any. Low tags have all theirs.
        pages = {tag // PAGE for tag in (*range(LOW_TAGS), *tags)}
        self.pages = {page: at for at, page in enumerate(sorted(pages), 1)}
        self.words = len(self.pages) + 1
        self.rules: dict[int, tuple[int | str, ...]] = {}
        self.texts = ""
        self.offsets: list[int] = []
        self.lines: list[str] = []

    def place(self, tag: int) -> int:
        return self.pages[tag // PAGE] * PAGE + tag % PAGE

    def values(self, node: Node) -> str:
        """The row of a field's allowed values: bits of the one-letter ones, the others sorted."""
        values = sorted({value.attrib["enum"] for value in node.findall("value")})
        # A listed letter is never asked for its type.
        letters = "".join(value for value in values if len(value) == 1)
        kind = TYPES.get(node.attrib["type"], "TEXT")
        assert kind in ("TEXT", "CHAR", "TOKENS", "INT", "BOOLEAN"), (self.prefix, values)
        assert kind != "INT" or not letters or letters.isdecimal(), (self.prefix, values)
        assert kind != "BOOLEAN" or set(letters) <= set("NY"), (self.prefix, values)
        bits = [0, 0]
        longer = [value for value in values if len(value) != 1]
        for value in values:
            if len(value) == 1:
                bits[ord(value) >> 6] |= 1 << (ord(value) & 63)
        first = len(self.offsets)
        for value in sorted(longer, key=str.encode):
            self.offsets.append(len(self.texts))
            self.texts += value + "\0"
        return f"{{{{{bits[0]:#x}, {bits[1]:#x}}}, {first}, {len(longer)}}}"

    def write_fields(self) -> None:
        other = partners(self.dictionary)
        enumerations: list[str] = []
        rows = [NO_ROW] * PAGE * self.words
        for node in self.fields:
            tag, kind = int(node.attrib["number"]), TYPES.get(node.attrib["type"], "TEXT")
            flag, partner = other.get(tag, (0, 0))
            flag |= HEADER * (tag in self.header.tags) | TRAILER * (tag in self.trailer.tags)
            flag |= COUNT * (tag in self.dictionary.counts)
            assert flag & (HEADER | TRAILER) != HEADER | TRAILER
            values = 0
            if node.find("value") is not None:
                enumerations.append(self.values(node))
                values = len(enumerations)
            self.rules[tag] = (tag, f"TL_FIX_TYPE_{kind}", flag, values, partner)
            rows[self.place(tag)] = braces(self.rules[tag])
        count = max(LOW_TAGS, self.tag_max + 1 + PAGE - 1) // PAGE
        pages = [(self.pages.get(page, 0) - page) * PAGE % (1 << 16) for page in range(count)]
        self.lines += array("tl_fix_field_rule", f"{self.prefix}_fields", rows)
        if self.session:
            rows = [self.low_rule(tag, self.session) for tag in range(LOW_TAGS)]
            self.lines += array("tl_fix_field_rule", f"{self.prefix}_low", rows)
        self.lines += array("uint16_t", f"{self.prefix}_pages", [str(at) for at in pages])
        self.lines += array("tl_fix_values", f"{self.prefix}_values", enumerations)
        self.lines += array("uint16_t", f"{self.prefix}_offsets", [str(at) for at in self.offsets])
        assert len(self.texts) < 1 << 16
        pieces = [f'"{text}\\0"' for text in self.texts.split("\0")[:-1]] or ['""']
        lines = array("char", f"{self.prefix}_texts", pieces)
        self.lines += [lines[0].replace(" {", ""), *(x.replace('",', '"') for x in lines[1:-1])]
        self.lines[-1] += ";"

    def low_rule(self, tag: int, session: Writer) -> str:
        """A tag's rule by both dictionaries: the session's in header and trailer, else this one's
        with what the session's says of counts, lengths and data."""
        theirs, own = session.rules.get(tag), self.rules.get(tag, (0, 0, 0, 0, 0))
        if theirs is None:
            return braces(own)
        flags = int(theirs[2])
        if flags & (HEADER | TRAILER):
            return braces(theirs)
        return braces((*own[:2], int(own[2]) | flags, *own[3:]))

    def row(self, body: Body) -> str:
        pool = self.dictionary.pool
        needed, groups = tuple(sorted(body.required)), self.dictionary.inner(body)
        low = [tag for tag in needed if tag < PAGE]
        bits = sum(1 << tag for tag in low)
        lists = f"{pool.add(needed)}, {len(needed)}, {pool.add(groups)}, {len(groups)}"
        return f"{lists}, {len(low)}, {bits:#x}"

    def write_messages(self) -> None:
        names, bits, rows = msg_types(), [], []
        frame = self.session or self
        always = {*frame.header.tags, *frame.trailer.tags}
        for text, admin, body in self.messages:
            assert len(text) <= 3
            allowed = sum(1 << self.place(tag) for tag in always.union(body.tags))
            bits += [f"{allowed >> 64 * word & (1 << 64) - 1:#x}" for word in range(self.words)]
            kind = names.get(text, "OTHER")
            rows.append(f'{{"{text}", {int(admin)}, TL_FIX_{kind}, {self.row(body)}}}')
        ends = [
            f'{{"", 0, TL_FIX_UNKNOWN, {self.row(body)}}}' for body in (self.header, self.trailer)
        ]
        first = [0] * 128
        for place, (text, _, _) in enumerate(self.messages):
            if len(text) == 1:
                first[ord(text)] = place + 1
        self.lines += array("tl_fix_message_rule", f"{self.prefix}_messages", rows)
        self.lines += array("tl_fix_message_rule", f"{self.prefix}_ends", ends)
        self.lines += array("uint8_t", f"{self.prefix}_letters", [str(place) for place in first])
        self.lines += array("uint64_t", f"{self.prefix}_allowed", bits)

    def write_pools(self) -> None:
        groups = [braces(row) for row in self.dictionary.groups]
        numbers = self.dictionary.pool.numbers
        assert len(numbers) < 1 << 16
        self.lines += array("tl_fix_group_rule", f"{self.prefix}_groups", groups)
        self.lines += array("uint16_t", f"{self.prefix}_numbers", [str(n) for n in numbers])

    def write(self) -> list[str]:
        self.write_fields()
        self.write_messages()
        self.write_pools()
        prefix = self.prefix
        low = f"{prefix}_low" if self.session else f"{prefix}_fields + {PAGE}"
        parts = (
            "fields",
            "pages",
            "values",
            "offsets",
            "texts",
            "messages",
            "ends",
            "letters",
            "allowed",
            "groups",
            "numbers",
        )
        self.lines += [
            f"const tl_fix_dictionary tl_{prefix} = {{",
            f"    .tag_max = {self.tag_max},",
            f"    .messages_count = {len(self.messages)},",
            f"    .words = {self.words},",
            f"    .low = {low},",
            *(f"    .{part} = {prefix}_{part}," for part in parts),
            "};",
            "",
        ]
        return self.lines


def glossary(directory: Path) -> str:
    """Names of fields, values and messages by dictionary, a line each, as JSON."""
    dictionaries = []
    for name in DICTIONARIES:
        tree = load(directory, name).tree
        lines = [
            f'"{node.attrib["number"]}": {json.dumps([node.attrib["name"], named_values(node)])}'
            for node in sorted(tree.findall("fields/field"), key=lambda n: int(n.attrib["number"]))
        ]
        messages = {
            node.attrib["msgtype"]: node.attrib["name"] for node in tree.findall("messages/message")
        }
        fields = ",\n".join(lines)
        dictionaries.append(
            f'"{name}": {{"messages": {json.dumps(messages, sort_keys=True)},\n'
            f'"fields": {{\n{fields}\n}}}}'
        )
    return "{" + ",\n".join(dictionaries) + "}\n"


def named_values(node: Node) -> dict[str, str]:
    """What each value of a field is called, as people write it."""
    return {
        value.attrib["enum"]: value.get("description", "").replace("_", " ").lower()
        for value in node.findall("value")
    }


def tables(directory: Path) -> str:
    """fix_tables.c"""
    lines = [
        "/* Written by fix/generate.py from the data dictionaries of FIX 4.2 (with 553 and 554 in",
        " * its Logon), 4.4, FIXT.1.1 and 5.0 SP2. Not to be edited. */",
        '#include "touchline/wire/fix_tables.h"',
        "",
    ]
    writers = {name: Writer(load(directory, name)) for name in DICTIONARIES}
    writers["FIX50SP2"].session = writers["FIXT11"]
    for writer in writers.values():
        lines += writer.write()
    return "\n".join(lines[:-1]) + "\n"


def main() -> None:
    default = Path(sys.prefix) / "share" / "quickfix"
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    OUTPUT.write_text(tables(directory))
    GLOSSARY.write_text(glossary(directory))


if __name__ == "__main__":
    main()
