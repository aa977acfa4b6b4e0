"""A few of the attacks, briefly: the gateway lives, and nothing of the others' is changed."""

import random

import pytest

from attacks.catalogue import ATTACKS
from attacks.scene import Attack, known_engines, played

SECONDS = 1.5
AT_ONCE = 3


@pytest.mark.parametrize("engine", known_engines())
def test_an_attack_harms_nobody(seed: int, engine: str) -> None:
    for attack in random.Random(seed).sample(ATTACKS, AT_ONCE):
        verdict = played(attack, engine, SECONDS, tries=1)
        assert not verdict.faults, f"{attack.number} {attack.name}"


def test_an_attack_that_kills_the_gateway_is_seen() -> None:
    attack = Attack("a gateway that is killed", "0", lambda target: target.kill())
    verdict = played(attack, known_engines()[-1], SECONDS, tries=1)
    assert any("the gateway died: SIGKILL" in fault for fault in verdict.faults), verdict
    assert any("a broker: Closed" in fault for fault in verdict.faults), verdict


def test_attacks_have_numbers_of_their_own() -> None:
    numbers = [attack.number for attack in ATTACKS]
    assert len(set(numbers)) == len(numbers)
    assert {number.rstrip("abc") for number in numbers} == {str(n) for n in range(1, 25)}
    assert {engine for attack in ATTACKS for engine in attack.beyond} <= set(known_engines())
