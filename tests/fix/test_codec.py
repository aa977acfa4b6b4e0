"""The codec against QuickFIX: its parser, and its data dictionaries."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from harness.fix_differential import DICTIONARIES, run
from touchline.wire import fix_message

APPLICATION = {"FIX.4.2": "FIX42", "FIX.4.4": "FIX44", "FIXT.1.1": "FIX50SP2"}


@pytest.mark.parametrize("seed", [1, 2])
def test_quickfix_differs_in_what_is_explained_alone(seed: int) -> None:
    met = run(10_000, seed)
    assert met["the same"] > 5_000
    assert min(met["torn"], met["framing"], met["entries"]) > 0


@pytest.mark.parametrize("begin_string", APPLICATION)
def test_the_reasons_of_a_version_are_those_of_its_dictionary(begin_string: str) -> None:
    tree = ElementTree.parse(DICTIONARIES / f"{APPLICATION[begin_string]}.xml")
    listed = [
        {
            int(value.attrib["enum"])
            for value in tree.findall(f"fields/field[@number='{tag}']/value")
        }
        for tag in (103, 102)
    ]
    assert all(listed)
    assert list(fix_message.reasons(begin_string)) == listed
