"""docs/fix/ says what the venue does: a page for each message, an Orchestra file a version."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from harness.fix_client import SOH
from harness.fix_dictionary import DICTIONARIES, book
from harness.fix_evidence import fields_of
from harness.fix_orchestra_rules import FIXR, faults
from harness.fix_pages import PAGES, files, orchestra_name
from harness.fix_probe import entry, path_to, plausible
from harness.fix_survey import Survey, survey
from touchline.wire.fix_terms import refusal, term_of

FILES = sorted(PAGES.glob("*.xml"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return survey(tmp_path_factory.mktemp("survey") / "venue")


def test_the_pages_are_what_the_venue_does_today(found: Survey) -> None:
    written = files(found)
    committed = {path.name: path.read_text() for path in PAGES.iterdir()}
    differing = [
        name
        for name in sorted(written.keys() | committed.keys())
        if written.get(name) != committed.get(name)
    ]
    assert not differing, "`make docs` writes them anew"


def test_a_refusal_names_the_field_as_fix_does(found: Survey) -> None:
    names = {
        (str(tag), one.name) for of in map(book, DICTIONARIES) for tag, one in of.fields.items()
    }
    said = {
        (match[2], match[1])
        for verdicts in found.verdicts.values()
        for verdict in verdicts.values()
        if verdict is not None and (match := re.match(r"(\w+)\((\d+)\)", verdict.refused))
    }
    assert said
    assert not said - names


def test_every_request_has_fields_of_every_standing(found: Survey) -> None:
    for version in DICTIONARIES:
        standings = {found.standing(version, "D", tag) for tag in found.verdicts[version, "D"]}
        assert {"needed", "read", "harmless", "refused"} <= standings


def test_an_example_has_its_length_and_checksum() -> None:
    shown = 0
    for path in PAGES.glob("*.md"):
        for block in re.findall(r"^```\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
            text = block.replace("\n    ", "")
            for line in text.splitlines():
                raw = re.sub(r"^\d?[<>] ", "", line).replace("|", SOH).encode()
                assert fields_of(raw) is not None, f"{path.name}: {line}"
                shown += 1
    assert shown > 50


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_an_orchestra_file_keeps_the_rules_of_orchestra(path: Path) -> None:
    assert list(faults(ElementTree.parse(path).getroot())) == []


# What is done to a file, at the first element of a kind, and what is said of it then.
SPOILED: dict[str, tuple[str, Callable[[Element], object], str]] = {
    "a name with a blank": ("code", lambda at: at.set("name", "a b"), "has name='a b'"),
    "no id": ("field", lambda at: at.attrib.pop("id"), "has no ['id']"),
    "an id of 0": ("message", lambda at: at.set("id", "0"), "has id='0'"),
    "a type that is not there": ("field", lambda at: at.set("type", "Nil"), "which is not there"),
    "a presence of its own": ("fieldRef", lambda at: at.set("presence", "c"), "has presence='c'"),
    "a field that is not there": ("fieldRef", lambda at: at.set("id", "9999"), "names no field"),
    "a flow that is not there": ("message", lambda at: at.set("flow", "Away"), "has flow='Away'"),
    "an attribute of its own": ("group", lambda at: at.set("note", ""), "has note=''"),
    "the count behind the members": ("group", lambda at: at.append(at[0]), "has the children"),
    "a message without members": ("structure", lambda at: at.clear(), "has the children []"),
    "no messages": ("messages", lambda at: at.clear(), "has the children []"),
    "a field twice": ("fields", lambda at: at.append(at[0]), "2 times a field has the id"),
    "a section twice": ("repository", lambda at: at.append(at[1]), "has the sections"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_fault_of_an_orchestra_file_is_found(what: str) -> None:
    kind, spoil, said = SPOILED[what]
    root = ElementTree.parse(FILES[0]).getroot()
    spoil(next(root.iter(FIXR + kind)))
    assert any(said in fault for fault in faults(root))


def test_there_is_an_orchestra_file_of_each_version() -> None:
    assert [path.name for path in FILES] == sorted(map(orchestra_name, DICTIONARIES))


def test_a_field_of_a_group_is_tried_within_an_entry() -> None:
    of = book("FIX.4.4")
    path = path_to(of.messages["D"].members, 447)
    assert path is not None
    tags = [tag for tag, _ in entry(path, plausible(path[-1].field), of)]
    assert tags[0] == 453
    assert tags[-1] == 447
    assert 448 in tags


def test_a_field_of_bytes_is_tried_behind_its_length() -> None:
    of = book("FIX.4.4")
    for tag in (354, 355):
        path = path_to(of.messages["D"].members, tag)
        assert path is not None
        assert list(entry(path, "1", of)) == [(354, "1"), (355, "x")]


@pytest.mark.parametrize(
    ("tag", "term"),
    [
        (11, "used"),
        (15, "ruled"),
        (58, "harmless"),
        (77, "refused"),
        (4999, "unlisted"),
        (35, "frame"),
    ],
)
def test_the_list_of_terms_is_told_from_outside(tag: int, term: str) -> None:
    assert term_of(tag) == term


@pytest.mark.parametrize(
    ("tag", "value", "why"),
    [
        (210, b"10", "MaxShow(210) is not supported"),
        (210, b"0", ""),
        (15, b"USD", "Currency(15) USD: ABC is traded in EUR"),
        (48, b"ABC", ""),
        (4999, b"x", "field 4999 is not supported"),
        (5000, b"x", ""),
    ],
)
def test_why_a_field_is_refused_is_told_from_outside(tag: int, value: bytes, why: str) -> None:
    assert refusal(tag, value, "ABC", "EUR") == why


@pytest.mark.parametrize("tag", [-1, 1 << 32, "11", 1.0, None])
def test_what_is_no_tag_is_refused(tag: object) -> None:
    with pytest.raises((TypeError, OverflowError)):
        term_of(tag)  # type: ignore[arg-type]
