"""Who may log on, and what guessing costs."""

from dataclasses import dataclass, replace

import pytest

from touchline.fix.policy import CLOSE, PURSE, PURSES_MAX, WRONG, Policy, Purses, hashed, verified
from touchline.fix.settings import SessionSettings

PLAIN = SessionSettings("BROKER1", "FIX.4.4", ("ACC1",), password="sesame")


@dataclass
class Logon:
    """A question as the acceptor puts it."""

    password: str = ""
    address: str = "127.0.0.1"
    username: str = ""
    certificate: str = ""
    heartbeat_s: int = 30


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def policy(clock: Clock) -> Policy:
    return Policy(60, clock)


def test_a_right_password_comes_in_and_a_wrong_one_is_told(policy: Policy) -> None:
    assert policy.refusal(PLAIN, Logon("sesame")) is None
    assert policy.refusal(PLAIN, Logon("Sesame")) == WRONG
    assert policy.refusal(PLAIN, Logon("")) == WRONG
    assert policy.refusal(PLAIN, Logon("sesam\udcff")) == WRONG


def test_guesses_are_answered_a_few_times_and_then_closed(policy: Policy, clock: Clock) -> None:
    answers = [policy.refusal(PLAIN, Logon(str(n))) for n in range(50)]
    assert answers == [WRONG] * int(PURSE) + [CLOSE] * (50 - int(PURSE))
    clock.now += 2.0
    assert [policy.refusal(PLAIN, Logon("x")) for _ in range(2)] == [WRONG, CLOSE]


def test_the_honest_broker_comes_in_while_others_guess(policy: Policy) -> None:
    for n in range(1_000):
        policy.refusal(PLAIN, Logon(str(n)))
        assert policy.refusal(PLAIN, Logon("sesame")) is None


def test_a_hash_lets_its_password_in_and_no_other(policy: Policy) -> None:
    session = replace(PLAIN, password=None, password_hash=hashed("sesame"))
    assert policy.refusal(session, Logon("sesame")) is None
    assert policy.refusal(session, Logon("sesame")) is None
    assert policy.refusal(session, Logon("open")) == WRONG
    changed = replace(session, password_hash=hashed("open"))
    assert policy.refusal(changed, Logon("sesame")) == WRONG
    assert policy.refusal(changed, Logon("open")) is None


def test_a_flood_of_guesses_is_not_verified(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = replace(PLAIN, password=None, password_hash=hashed("sesame"))
    assert policy.refusal(session, Logon("sesame")) is None
    asked = []

    def counted(password_hash: str, given: str) -> bool:
        asked.append(given)
        return verified(password_hash, given)

    monkeypatch.setattr("touchline.fix.policy.verified", counted)
    for n in range(500):
        policy.refusal(session, Logon(str(n)))
        assert policy.refusal(session, Logon("sesame")) is None
    assert len(asked) == int(PURSE)


def test_an_address_that_is_not_listed_is_closed(policy: Policy) -> None:
    session = replace(PLAIN, addresses=("10.1.0.0/16", "::1/128"))
    assert policy.refusal(session, Logon("sesame", "127.0.0.1")) == CLOSE
    assert policy.refusal(session, Logon("sesame", "10.1.2.3")) is None
    assert policy.refusal(session, Logon("sesame", "::1")) is None


def test_a_certificate_of_somebody_else_is_closed(policy: Policy) -> None:
    session = replace(PLAIN, certificate="broker1.example")
    assert policy.refusal(session, Logon("sesame")) == CLOSE
    assert policy.refusal(session, Logon("sesame", certificate="other.example")) == CLOSE
    assert policy.refusal(session, Logon("sesame", certificate="broker1.example")) is None


def test_a_session_that_is_disabled_is_closed(policy: Policy) -> None:
    assert policy.refusal(replace(PLAIN, enabled=False), Logon("sesame")) == CLOSE


def test_a_heartbeat_out_of_range_is_told_to_those_who_may_come_in_alone(policy: Policy) -> None:
    told = "HeartBtInt(108) must be 1 to 60 seconds"
    assert policy.refusal(PLAIN, Logon("sesame", heartbeat_s=61)) == told
    assert policy.refusal(PLAIN, Logon("sesame", heartbeat_s=0)) == told
    assert policy.refusal(PLAIN, Logon("wrong", heartbeat_s=0)) == WRONG


def test_purses_are_bounded(clock: Clock) -> None:
    purses = Purses(clock)
    purses.spend("first")
    for n in range(2 * PURSES_MAX):
        purses.spend(n)
    assert len(purses._purses) == PURSES_MAX


def test_a_password_is_in_no_representation() -> None:
    assert "sesame" not in repr(PLAIN)
