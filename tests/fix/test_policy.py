"""Who may come in, asked of the policy alone: addresses, certificates, passwords, floods."""

from dataclasses import replace

import pytest

from touchline.errors import SessionError
from touchline.fix import policy
from touchline.fix.policy import PLACES_MAX, SILENTLY, WRONG_AT_ONCE, WRONG_PASSWORD, Policy, Wrongs
from touchline.fix.settings import SessionSettings
from touchline.wire.fix_server import Question

OPEN = SessionSettings("OPEN", "FIX.4.4", ("ACC1",))
PLAIN = SessionSettings("PLAIN", "FIX.4.4", ("ACC1",), password="secret")
HASHED = SessionSettings("HASHED", "FIX.4.4", ("ACC1",), password_hash="$argon2id$of secret")


class Hasher:
    """Stands where argon2 does: it counts how often it is asked, which is what argon2 costs."""

    def __init__(self) -> None:
        self.asked = 0

    def check(self, password_hash: str, password: str) -> bool:
        self.asked += 1
        return password_hash == f"$argon2id$of {password}"


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> Hasher:
    hasher = Hasher()
    monkeypatch.setattr(policy, "argon2_check", lambda: hasher.check)
    return hasher


def policy_of(*sessions: SessionSettings) -> Policy:
    made = Policy(30)
    made.take_up(enumerate(sessions))
    return made


def question(
    password: str = "",
    *,
    session: int = 0,
    address: str = "10.0.0.1",
    certificate: str = "",
    heartbeat_s: int = 30,
    asked_s: float = 100.0,
) -> Question:
    return Question(
        1, session, address, 4000, "", password, certificate, heartbeat_s, False, asked_s
    )


def verdict(made: Policy, asked: Question) -> str | None:
    done, answer = made.judge(asked)
    return answer if done else made.verify(asked)


def test_without_a_password_anybody_of_that_name_comes_in() -> None:
    assert verdict(policy_of(OPEN), question("whatever")) is None


def test_a_session_nobody_configured_is_closed_without_a_word() -> None:
    assert verdict(policy_of(OPEN), question(session=3)) == SILENTLY


def test_a_heartbeat_out_of_range_is_refused_after_the_password() -> None:
    made = policy_of(PLAIN)
    assert verdict(made, question("wrong", heartbeat_s=0)) == WRONG_PASSWORD
    for seconds in (0, 31, 2**32 - 1):
        assert "HeartBtInt(108)" in str(verdict(made, question("secret", heartbeat_s=seconds)))


def test_an_address_outside_the_list_is_closed_without_a_word() -> None:
    made = policy_of(replace(OPEN, addresses=("10.0.0.0/24", "fe80::1")))
    assert [
        verdict(made, question(address=a))
        for a in ("10.0.0.7", "fe80::1", "10.0.1.7", "fe80::2", "")
    ] == [None, None, SILENTLY, SILENTLY, SILENTLY]


def test_another_certificate_than_the_sessions_is_refused() -> None:
    made = policy_of(replace(PLAIN, certificate="broker.example"))
    assert verdict(made, question("secret", certificate="broker.example")) is None
    for name in ("", "other.example"):
        assert "certificate" in str(verdict(made, question("secret", certificate=name)))


def test_guesses_keep_nobody_out_who_knows_the_password() -> None:
    made = policy_of(PLAIN)
    told = [verdict(made, question(f"guess{n}")) for n in range(100)]
    assert told[:WRONG_AT_ONCE] == [WRONG_PASSWORD] * WRONG_AT_ONCE
    assert set(told[WRONG_AT_ONCE:]) == {SILENTLY}
    assert verdict(made, question("secret")) is None


def test_a_flood_of_guesses_costs_few_hashes(hasher: Hasher) -> None:
    made = policy_of(HASHED)
    for number in range(1000):
        verdict(made, question(f"guess{number}"))
    assert hasher.asked == WRONG_AT_ONCE
    assert verdict(made, question("secret", address="10.0.0.2")) is None
    asked = hasher.asked
    assert verdict(made, question("secret")) is None, "known by now, whoever guesses there"
    assert hasher.asked == asked


def test_wrong_passwords_are_forgiven_with_time(hasher: Hasher) -> None:
    made = policy_of(HASHED)
    for number in range(10):
        verdict(made, question(f"guess{number}"))
    assert verdict(made, question("secret")) == SILENTLY
    assert verdict(made, question("secret", asked_s=110.0)) is None


def test_a_changed_password_ends_the_old_one(hasher: Hasher) -> None:
    made = policy_of(HASHED)
    assert verdict(made, question("secret")) is None
    made.take_up([(0, replace(HASHED, password_hash="$argon2id$of another"))])
    assert verdict(made, question("secret")) == WRONG_PASSWORD
    assert verdict(made, question("another")) is None


def test_one_sessions_password_is_not_anothers(hasher: Hasher) -> None:
    other = replace(HASHED, comp_id="OTHER", password_hash="$argon2id$of other")
    made = policy_of(HASHED, other)
    assert verdict(made, question("secret", session=0)) is None
    assert verdict(made, question("secret", session=1)) == WRONG_PASSWORD


def test_the_table_of_wrong_passwords_is_bounded() -> None:
    wrongs = Wrongs()
    for number in range(3 * PLACES_MAX):
        wrongs.add(f"10.{number}", 1.0)
    assert len(wrongs) == PLACES_MAX
    assert wrongs.count(f"10.{3 * PLACES_MAX - 1}", 1.0) == 1.0


def test_a_hash_without_argon2_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(SessionError, match="argon2-cffi"):
        policy_of(HASHED)
