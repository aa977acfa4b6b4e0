"""Every scenario of tests/golden, on the reference and on the core; and the rules name them all."""

import difflib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core_venue import CoreVenue
from reference.engine import Capacities
from reference.scenario import ReferenceVenue, Scenario, Venue

GOLDEN = Path(__file__).parents[1] / "golden"
RULES = Path(__file__).parents[2] / "docs" / "rules.md"
SCENARIOS = sorted(path.stem for path in GOLDEN.glob("*.txt"))


def rules_by_number() -> dict[str, str]:
    """The text of each numbered rule of docs/rules.md, as "2.3"; section 7 is one rule."""
    rules: dict[str, str] = {}
    section = rule = ""
    for line in RULES.read_text().splitlines():
        if heading := re.match(r"## (\d+)\. ", line):
            section = rule = heading[1]
        elif section != "7" and (numbered := re.match(r"(\d+)\. ", line)):
            rule = f"{section}.{numbered[1]}"
        rules[rule] = rules.get(rule, "") + line + "\n"
    return {number: text for number, text in rules.items() if "." in number or number == "7"}


@pytest.mark.parametrize("venue_of", [ReferenceVenue, CoreVenue])
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_plays_as_written(name: str, venue_of: Callable[[Capacities], Venue]) -> None:
    expected = (GOLDEN / f"{name}.txt").read_text().splitlines()
    played = list(Scenario(venue_of).play("\n".join(expected)))
    difference = "\n".join(
        difflib.unified_diff(expected, played, "expected", "played", lineterm="")
    )
    assert played == expected, f"{name}\n{difference}"


def test_every_rule_names_a_scenario_and_every_scenario_its_rule() -> None:
    rules = rules_by_number()
    assert len(rules) > 30
    named = {
        (number, scenario)
        for number, text in rules.items()
        for scenario in re.findall(r"`(\d[\d.]*-[a-z-]+)`", text)
    }
    assert {scenario for _, scenario in named} == set(SCENARIOS)
    assert {number for number, _ in named} == set(rules)
    for number, text in rules.items():
        own = {scenario for scenario in SCENARIOS if scenario.startswith(f"{number}-")}
        assert all(scenario in text for scenario in own), number
