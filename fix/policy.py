"""Who may log on: asked about each Logon that is whole and well formed, off the hot path.

A right password comes in at once, however many wrong ones are tried beside it. Wrong ones are
answered a few times by a Logout, and after that, for a while, by a close that costs nothing: each
CompID and each address has a purse of attempts that fills again slowly. Hashes of argon2 take
milliseconds by design, so a password that was right once is known again by a keyed hash of this
process, and an attempt that finds its purse empty is not verified at all. Belongs to one thread.
"""

from __future__ import annotations

import hmac
import importlib
import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from touchline.errors import SessionError
from touchline.fix.settings import SessionSettings

PURSE = 5.0  # attempts at once
REFILL_PER_S = 0.5
PURSES_MAX = 4096
CLOSE = ""  # a refusal without a word
WRONG = "Username(553) or Password(554) is missing or wrong"


class Question(Protocol):
    """What the acceptor knows of a newcomer."""

    @property
    def address(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def certificate(self) -> str: ...
    @property
    def heartbeat_s(self) -> int: ...


@dataclass(slots=True)
class _Purse:
    left: float
    at: float


class Purses:
    """Attempts left, by whoever makes them; the longest unseen are forgotten."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._purses: OrderedDict[object, _Purse] = OrderedDict()

    def left(self, key: object) -> bool:
        """Whether one more attempt may be made."""
        return self._purse(key).left >= 1.0

    def spend(self, key: object) -> None:
        purse = self._purse(key)
        purse.left = max(0.0, purse.left - 1.0)

    def _purse(self, key: object) -> _Purse:
        now = self._clock()
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = _Purse(PURSE, now)
            if len(self._purses) > PURSES_MAX:
                self._purses.popitem(last=False)
        self._purses.move_to_end(key)
        purse.left = min(PURSE, purse.left + (now - purse.at) * REFILL_PER_S)
        purse.at = now
        return purse


class Policy:
    """Judges Logons. `clock` counts seconds and never goes back."""

    def __init__(self, heartbeat_max_s: int, clock: Callable[[], float]) -> None:
        self._heartbeat_max_s = heartbeat_max_s
        self._purses = Purses(clock)
        self._key = secrets.token_bytes(32)
        self._known: dict[str, bytes] = {}  # by CompID: a password's keyed hash that was right

    def refusal(self, session: SessionSettings, question: Question) -> str | None:
        """None: let in. CLOSE: without a word. Else what a Logout says."""
        if not session.enabled:
            return CLOSE
        address = ipaddress.ip_address(question.address)
        if session.addresses and not any(
            address in ipaddress.ip_network(network) for network in session.addresses
        ):
            return CLOSE
        if session.certificate is not None and question.certificate != session.certificate:
            return CLOSE
        wrong = self._password_refusal(session, question)
        if wrong is not None:
            return wrong
        if not 1 <= question.heartbeat_s <= self._heartbeat_max_s:
            return f"HeartBtInt(108) must be 1 to {self._heartbeat_max_s} seconds"
        return None

    def _password_refusal(self, session: SessionSettings, question: Question) -> str | None:
        if session.password is None and session.password_hash is None:
            return None
        if self._known_right(session, question.password):
            return None
        keys = ((session.comp_id, question.address), question.address)
        if not all(self._purses.left(key) for key in keys):
            return CLOSE
        if self._right(session, question.password):
            return None
        for key in keys:
            self._purses.spend(key)
        return WRONG

    def _known_right(self, session: SessionSettings, given: str) -> bool:
        if session.password is not None:
            return _same(given, session.password)
        return hmac.compare_digest(
            self._known.get(session.comp_id, b""), self._mark(session, given)
        )

    def _right(self, session: SessionSettings, given: str) -> bool:
        if session.password_hash is None or not verified(session.password_hash, given):
            return False
        self._known[session.comp_id] = self._mark(session, given)
        return True

    def _mark(self, session: SessionSettings, given: str) -> bytes:
        """Bound to the hash it was right for, so that a changed one forgets it."""
        said = f"{session.password_hash}\0{given}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, said, "sha256")


def hashed(password: str) -> str:
    """The argon2id hash of a password, for password_hash. Raises SessionError without argon2."""
    return str(_argon2().PasswordHasher().hash(password))


def verified(password_hash: str, given: str) -> bool:
    """Whether it is the password of the hash."""
    argon2 = _argon2()
    try:
        return bool(argon2.PasswordHasher().verify(password_hash, given))
    except (argon2.exceptions.Argon2Error, argon2.exceptions.InvalidHash):
        return False


def _argon2() -> Any:
    try:
        return importlib.import_module("argon2")
    except ModuleNotFoundError:
        raise SessionError(
            "password_hash needs the package argon2-cffi: pip install 'touchline[fix]'"
        ) from None


def _same(given: str, expected: str) -> bool:
    """Compared in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
