"""What a venue offers of one FIX version as an Orchestra repository (FIX Orchestra 1.0).

A field that the venue reads or sends has its type, its values and a presence of required or
optional. One that FIX defines and the venue takes and overlooks is `ignored`, one it refuses is
`forbidden`; a group of those stands there by the field that counts its entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from harness.fix_dictionary import SHORT, Field, Member, book, every
from harness.fix_survey import Survey
from touchline.wire.fix_terms import term_of

FIXR = "http://fixprotocol.io/2020/orchestra/repository"
DCTERMS = "http://purl.org/dc/terms/"
HEADER, TRAILER = 1024, 1025  # the ids that FIX gives these components
TRAILING = {10, 89, 93}
# Names of Orchestra's datatypes where they are not the dictionary's with a capital.
DATATYPES = {
    "INT": "int",
    "FLOAT": "float",
    "CHAR": "char",
    "DATA": "data",
    "NUMINGROUP": "NumInGroup",
    "SEQNUM": "SeqNum",
    "TAGNUM": "TagNum",
    "PRICEOFFSET": "PriceOffset",
    "MONTHYEAR": "MonthYear",
    "DAYOFMONTH": "DayOfMonth",
    "UTCTIMESTAMP": "UTCTimestamp",
    "UTCTIMEONLY": "UTCTimeOnly",
    "UTCDATE": "UTCDateOnly",
    "UTCDATEONLY": "UTCDateOnly",
    "LOCALMKTDATE": "LocalMktDate",
    "LOCALMKTTIME": "LocalMktTime",
    "TZTIMEONLY": "TZTimeOnly",
    "TZTIMESTAMP": "TZTimestamp",
    "MULTIPLEVALUESTRING": "MultipleStringValue",
    "MULTIPLESTRINGVALUE": "MultipleStringValue",
    "MULTIPLECHARVALUE": "MultipleCharValue",
    "XMLDATA": "XMLData",
    "XID": "XID",
    "XIDREF": "XIDREF",
}


def q(name: str) -> str:
    return f"{{{FIXR}}}{name}"


def datatype(one: Field) -> str:
    return DATATYPES.get(one.type, one.type.capitalize())


def code_name(meaning: str, value: str) -> str:
    words = [word.capitalize() for word in meaning.replace("-", "_").replace(" ", "_").split("_")]
    return ("".join(words) or f"Value{value}")[:64]


class Repository:
    """The repository of one version, put together from its messages."""

    def __init__(self, of: Survey, version: str) -> None:
        self.of = of
        self.version = version
        self.book = book(version)
        self.taken, self.sent = of.evidence.taken[version], of.evidence.sent[version]
        self.fields: dict[int, bool] = {}  # tag: offered, with its values
        self.groups: dict[tuple[int, tuple[int, ...]], Element] = {}
        self.group_names: set[str] = set()

    def presence(self, msg_type: str, member: Member) -> str | None:
        """Of a field in a message; None: it does not stand in the file."""
        tag = member.tag
        found = None
        if msg_type in self.sent:
            messages = self.of.evidence.sent_tags[self.version, msg_type]
            count = sum(tag in tags for tags in messages)
            found = "required" if count == len(messages) else "optional" if count else None
        if msg_type in self.taken:
            if self.of.tried(self.version, msg_type):
                standing = self.of.standing(self.version, msg_type, tag)
                found = {
                    "needed": "required",
                    "read": "optional",
                    "harmless": "ignored",
                    "refused": "forbidden",
                    "untried": "ignored" if term_of(tag) == "harmless" else "forbidden",
                }[standing]
            elif (found is None and tag in self.of.evidence.used[self.version, msg_type]) or (
                found == "required" and not member.required
            ):
                found = "optional"
        return "required" if member.required else found

    def refer(self, parent: Element, msg_type: str, members: Iterable[Member]) -> None:
        for member in members:
            presence = self.presence(msg_type, member)
            if presence is None:
                continue
            offered = presence in ("required", "optional")
            self.fields[member.tag] = self.fields.get(member.tag, False) or offered
            if member.members and offered:
                ident = self.group(msg_type, member)
                SubElement(parent, q("groupRef"), id=str(ident), presence=presence)
            else:
                SubElement(parent, q("fieldRef"), id=str(member.tag), presence=presence)

    def group(self, msg_type: str, member: Member) -> int:
        """The id of a group with the entries it has in this message."""
        inner = [m for m in member.members if self.presence(msg_type, m)] or member.members[:1]
        key = (member.tag, tuple(each.tag for each in every(inner)))
        if key not in self.groups:
            name = member.field.name.removeprefix("No") + "Grp"
            if name in self.group_names:
                name += self.book.messages[msg_type].name
            self.group_names.add(name)
            ident = str(10_000 + len(self.groups))
            self.groups[key] = group = Element(q("group"), name=name, id=ident)
            SubElement(group, q("numInGroup"), id=str(member.tag))
            self.refer(group, msg_type, inner)
        return int(self.groups[key].attrib["id"])

    def messages(self) -> Element:
        found = Element(q("messages"))
        for msg_type in sorted(self.taken | self.sent, key=lambda kind: (len(kind), kind)):
            layout = self.book.messages[msg_type]
            message = SubElement(
                found,
                q("message"),
                name=layout.name,
                id=str(int.from_bytes(msg_type.encode(), "big")),
                msgType=msg_type,
            )
            if (msg_type in self.taken) != (msg_type in self.sent):
                message.set("flow", "BrokerToVenue" if msg_type in self.taken else "VenueToBroker")
            structure = SubElement(message, q("structure"))
            SubElement(structure, q("componentRef"), id=str(HEADER), presence="required")
            self.refer(structure, msg_type, layout.members)
            SubElement(structure, q("componentRef"), id=str(TRAILER), presence="required")
        return found

    def components(self) -> Element:
        heard = {
            tag
            for play in self.of.evidence.plays
            if play.begin_string == self.version
            for message in play.said
            if not message.sent
            for tag, _ in message.fields
        }
        found = Element(q("components"))
        for name, ident in (("StandardHeader", HEADER), ("StandardTrailer", TRAILER)):
            component = SubElement(found, q("component"), name=name, id=str(ident))
            for member in self.book.frame.members:
                if (member.tag in TRAILING) != (ident == TRAILER):
                    continue
                if member.required or member.tag in heard:
                    self.fields[member.tag] = True
                    presence = "required" if member.required else "optional"
                    SubElement(component, q("fieldRef"), id=str(member.tag), presence=presence)
        return found

    def values(self, one: Field) -> list[str]:
        """Those that the venue takes or was heard to send; all where it looks at none."""
        if one.tag == 35:
            return [value for value in one.values if value in self.taken | self.sent]
        found: set[str] = set()
        for msg_type in self.taken:
            verdict = self.of.verdict(self.version, msg_type, one.tag)
            found |= set(verdict.values) if verdict is not None else set()
        for msg_type in self.sent:
            found |= set(self.of.values_sent(msg_type, one.tag, [self.version]))
        return [value for value in one.values if value in found] or list(one.values)

    def code_sets(self) -> tuple[Element, dict[int, str]]:
        found, names = Element(q("codeSets")), {}
        for tag, offered in sorted(self.fields.items()):
            one = self.book.fields[tag]
            if not offered or not one.values or one.type == "BOOLEAN":
                continue
            names[tag] = f"{one.name}CodeSet"
            code_set = SubElement(
                found, q("codeSet"), name=names[tag], id=str(tag), type=datatype(one)
            )
            used: set[str] = set()
            for number, value in enumerate(self.values(one), start=1):
                name = code_name(one.values[value], value)
                name = name if name not in used else f"{name[:55]}{number}"
                used.add(name)
                ident = str(tag * 1000 + number)
                SubElement(code_set, q("code"), name=name, id=ident, value=value)
        return found, names

    def write(self) -> Element:
        root = Element(q("repository"), name="touchline", version=self.book.begin_string)
        metadata = SubElement(root, q("metadata"))
        title = f"touchline: order entry and market data by FIX {SHORT[self.version]}"
        SubElement(metadata, f"{{{DCTERMS}}}title").text = title
        SubElement(metadata, f"{{{DCTERMS}}}format").text = "FIX Orchestra 1.0"
        messages, components = self.messages(), self.components()
        groups = Element(q("groups"))
        groups.extend(self.groups.values())
        code_sets, names = self.code_sets()
        fields = Element(q("fields"))
        for tag in sorted(self.fields):
            one = self.book.fields[tag]
            kind = names.get(tag, datatype(one))
            SubElement(fields, q("field"), name=one.name, id=str(tag), type=kind)
        datatypes = Element(q("datatypes"))
        for name in sorted({datatype(self.book.fields[tag]) for tag in self.fields}):
            SubElement(datatypes, q("datatype"), name=name)
        actors = Element(q("actors"))
        for actor in ("Broker", "Venue"):
            SubElement(actors, q("actor"), name=actor)
        for source, to in (("Broker", "Venue"), ("Venue", "Broker")):
            SubElement(actors, q("flow"), name=f"{source}To{to}", source=source, destination=to)
        root.extend([datatypes, code_sets, fields, actors, components, groups, messages])
        return root


def orchestra(of: Survey, version: str) -> str:
    ElementTree.register_namespace("fixr", FIXR)
    ElementTree.register_namespace("dcterms", DCTERMS)
    root = Repository(of, version).write()
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- Written by `make docs`. -->\n{text}\n'
