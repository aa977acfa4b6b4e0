"""The data dictionaries with their names, for what is written of them: one Book a FIX version."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element

from touchline.fix.generate import load

DIRECTORY = Path(sys.prefix) / "share" / "quickfix"
# Of each BeginString the dictionary of its session messages and that of the others.
DICTIONARIES = {
    "FIX.4.2": ("FIX42", "FIX42"),
    "FIX.4.4": ("FIX44", "FIX44"),
    "FIXT.1.1": ("FIXT11", "FIX50SP2"),
}
SHORT = {"FIX.4.2": "4.2", "FIX.4.4": "4.4", "FIXT.1.1": "5.0 SP2"}


@dataclass(frozen=True)
class Field:
    tag: int
    name: str
    type: str
    values: dict[str, str]


@dataclass
class Member:
    """A field of a message; `members`: of one entry, when it counts a group's."""

    field: Field
    required: bool
    members: list[Member] = dataclasses.field(default_factory=list)

    @property
    def tag(self) -> int:
        return self.field.tag


@dataclass
class Layout:
    """A message, or header and trailer together."""

    msg_type: str
    name: str
    members: list[Member]

    def flat(self) -> dict[int, Member]:
        """Every field by its tag, also those within groups."""
        return {member.tag: member for member in every(self.members)}


def every(members: list[Member]) -> list[Member]:
    return [each for member in members for each in [member, *every(member.members)]]


class Book:
    """One version: fields by tag, messages by MsgType."""

    def __init__(self, begin_string: str) -> None:
        self.begin_string = begin_string
        self.fields: dict[int, Field] = {}
        self.messages: dict[str, Layout] = {}
        for name in dict.fromkeys(DICTIONARIES[begin_string]):
            self._read(load(DIRECTORY, name).tree)

    def _read(self, tree: Element) -> None:
        components = {node.attrib["name"]: node for node in tree.findall("components/component")}
        named = {}
        for node in tree.findall("fields/field"):
            values = {v.attrib["enum"]: v.get("description", "") for v in node.findall("value")}
            one = Field(
                int(node.attrib["number"]), node.attrib["name"], node.attrib["type"], values
            )
            self.fields[one.tag] = named[one.name] = one

        def members(parent: Element, needed: bool) -> list[Member]:
            found = []
            for node in parent:
                required = needed and node.get("required") == "Y"
                if node.tag == "component":
                    found += members(components[node.attrib["name"]], required)
                    continue
                inner = members(node, True) if node.tag == "group" else []
                found.append(Member(named[node.attrib["name"]], required, inner))
            return found

        for node in tree.findall("messages/message"):
            layout = Layout(node.attrib["msgtype"], node.attrib["name"], members(node, True))
            self.messages[layout.msg_type] = layout
        ends = [tree.find("header"), tree.find("trailer")]
        both = [member for end in ends if end is not None for member in members(end, True)]
        if both:
            self.frame = Layout("", "Header and trailer", both)


@cache
def book(begin_string: str) -> Book:
    return Book(begin_string)
