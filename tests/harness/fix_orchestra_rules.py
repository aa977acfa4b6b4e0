"""The rules of Orchestra 1.0 for the elements that the venue's files have, and a file held to them.

They are those of repository.xsd and repositorytypes.xsd with the namespace of 2020 in
FIXTradingCommunity/fix-orchestra, said anew: the schemas' licence lets nobody pass on a part of
them or another form. Besides, a reference has to name something that is there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

FIXR = "{http://fixprotocol.io/2020/orchestra/repository}"
TERMS = "{http://purl.org/dc/terms/}"
NAME = r"[A-Za-z][0-9A-Za-z_]{0,254}"
NUMBER = r"0*[1-9][0-9]*"
PRESENCE = r"optional|required|forbidden|ignored|constant"
ANY = r"(?s).*"
MEMBERS = "((componentRef|groupRef|fieldRef) )+"


@dataclass(frozen=True)
class Rule:
    """Children by name, each with a blank behind it, and what attributes may say."""

    children: str = ""
    needed: dict[str, str] = field(default_factory=dict)
    other: dict[str, str] = field(default_factory=dict)


NAMED = {"name": NAME, "id": NUMBER}
REFERENCE = Rule("", {"id": NUMBER}, {"presence": PRESENCE})
RULES = {
    "metadata": Rule(r"(\S+ )*"),
    "datatypes": Rule("(datatype )+"),
    "datatype": Rule("", {"name": NAME}),
    "codeSets": Rule("(codeSet )+"),
    "codeSet": Rule("(code )*", NAMED | {"type": NAME}),
    "code": Rule("", NAMED | {"value": ANY}),
    "fields": Rule("(field )+"),
    "field": Rule("", NAMED | {"type": ANY}),
    "actors": Rule("((actor|flow) )+"),
    "actor": Rule("", {"name": NAME}),
    "flow": Rule("", {"name": NAME, "source": ANY, "destination": ANY}),
    "components": Rule("(component )+"),
    "component": Rule(MEMBERS, NAMED),
    "groups": Rule("(group )+"),
    "group": Rule(f"(numInGroup )?{MEMBERS}", NAMED),
    "messages": Rule("(message )+"),
    "message": Rule("structure ", NAMED, {"msgType": "(?s).{1,2}", "flow": NAME}),
    "structure": Rule(MEMBERS),
    "numInGroup": REFERENCE,
    "fieldRef": REFERENCE,
    "componentRef": REFERENCE,
    "groupRef": REFERENCE,
}
SECTIONS = ("datatypes", "codeSets", "fields", "actors", "components", "groups", "messages")
NECESSARY = {"metadata", "datatypes", "codeSets", "fields", "messages"}
# Elements that are told apart by name and by id, and what refers to them by id.
KEYED = ("codeSet", "field", "component", "group", "message")
REFERENCES = {
    "fieldRef": "field",
    "numInGroup": "field",
    "componentRef": "component",
    "groupRef": "group",
}


def faults(root: Element) -> Iterator[str]:
    """What is wrong with a repository, a sentence each."""
    if root.tag != f"{FIXR}repository":
        yield f"{root.tag} is no repository"
        return
    sections = [_local(child) for child in root]
    if set(root.attrib) != {"name", "version"}:
        yield f"repository has the attributes {sorted(root.attrib)}"
    if len(set(sections)) < len(sections) or NECESSARY - set(sections):
        yield f"repository has the sections {sections}"
    if strange := set(sections) - {"metadata", *SECTIONS}:
        yield f"repository has {sorted(strange)}"
    for child in root:
        yield from _shape(child)
    yield from _keys(root)
    yield from _references(root)


def _local(element: Element) -> str:
    return element.tag.removeprefix(FIXR)


def _shape(element: Element) -> Iterator[str]:
    name = _local(element)
    rule = RULES.get(name)
    if rule is None:
        yield f"there is no element {name}"
        return
    what = f"{name} {element.get('name', element.get('id', ''))}"
    if not re.fullmatch(rule.children, "".join(f"{_local(child)} " for child in element)):
        yield f"{what} has the children {[_local(child) for child in element]}"
    if missing := rule.needed.keys() - element.attrib.keys():
        yield f"{what} has no {sorted(missing)}"
    for key, value in element.attrib.items():
        pattern = (rule.needed | rule.other).get(key)
        if pattern is None or not re.fullmatch(pattern, value):
            yield f"{what} has {key}={value!r}"
    for child in element:
        if name == "metadata" and not child.tag.startswith(TERMS):
            yield f"metadata has {child.tag}"
        elif name != "metadata":
            yield from _shape(child)


def _keys(root: Element) -> Iterator[str]:
    for kind in KEYED:
        for key in ("name", "id"):
            yield from _twice(kind, key, [found.get(key) for found in root.iter(FIXR + kind)])
    for code_set in root.iter(f"{FIXR}codeSet"):
        for key in ("name", "value"):
            yield from _twice(
                f"code of {code_set.get('name')}", key, [code.get(key) for code in code_set]
            )
    for what, kinds in (("type", ("codeSet", "datatype")), ("actor", ("actor",))):
        names = [found.get("name") for kind in kinds for found in root.iter(FIXR + kind)]
        yield from _twice(what, "name", names)


def _twice(kind: str, key: str, values: list[str | None]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{count} times a {kind} has the {key} {value}"


def _references(root: Element) -> Iterator[str]:
    def names(*kinds: str) -> set[str | None]:
        return {found.get("name") for kind in kinds for found in root.iter(FIXR + kind)}

    ids = {kind: {found.get("id") for found in root.iter(FIXR + kind)} for kind in KEYED}
    for kind, target in REFERENCES.items():
        for found in root.iter(FIXR + kind):
            if found.get("id") not in ids[target]:
                yield f"{kind} {found.get('id')} names no {target}"
    for kind, key, known in (
        ("field", "type", names("codeSet", "datatype")),
        ("codeSet", "type", names("datatype")),
        ("flow", "source", names("actor")),
        ("flow", "destination", names("actor")),
        ("message", "flow", names("flow") | {None}),
    ):
        for found in root.iter(FIXR + kind):
            if found.get(key) not in known:
                yield f"{kind} {found.get('name')} has {key}={found.get(key)!r}, which is not there"
