"""Who may come in: addresses, certificates, passwords, heartbeats. Asked once for each Logon.

A password that was right before is known by a keyed hash and passes at once, so that guesses of
others keep nobody out. Wrong ones are counted by session and by address, in tables of bounded size:
past a few, more are turned away unlooked at until some seconds have passed, so that a flood costs
no argon2. Nothing here logs or keeps a password.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import ipaddress
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from touchline.errors import SessionError
from touchline.fix.settings import SessionSettings
from touchline.wire.fix_server import Question

WRONG_AT_ONCE = 5  # wrong passwords before more are turned away unlooked at
PARDONED_A_S = 0.5  # of them, each second
PLACES_MAX = 4096
WRONG_PASSWORD = "Password(554) is missing or wrong"
SILENTLY = ""  # closed without a word

Key = int | str | tuple[int, str]
Verdict = str | None  # None: come in; else the Text(58) of a Logout


class Wrongs:
    """How many wrong passwords came lately, by place; the places longest unseen are forgotten."""

    def __init__(self) -> None:
        self._places: OrderedDict[Key, tuple[float, float]] = OrderedDict()

    def add(self, place: Key, now_s: float) -> None:
        self._places[place] = (self.count(place, now_s) + 1, now_s)
        self._places.move_to_end(place)
        if len(self._places) > PLACES_MAX:
            self._places.popitem(last=False)

    def count(self, place: Key, now_s: float) -> float:
        wrong, since_s = self._places.get(place, (0.0, now_s))
        return max(0.0, wrong - (now_s - since_s) * PARDONED_A_S)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one session demands of its peer."""

    settings: SessionSettings
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


class Policy:
    """Answers questions about Logons.

    `judge` is quick and gives None for "ask verify()", which may take as long as an argon2 hash;
    both are called by one thread at a time each.
    """

    def __init__(self, heartbeat_s: int) -> None:
        self._heartbeat_s = heartbeat_s
        self._terms: dict[int, Terms] = {}
        self._key = os.urandom(32)
        self._known: dict[int, bytes] = {}
        self._wrongs = Wrongs()
        self._check_hash: Callable[[str, str], bool] | None = None

    def take_up(self, sessions: Iterable[tuple[int, SessionSettings]]) -> None:
        """The sessions as they are configured now, by number. SessionError when a password_hash is
        configured and argon2-cffi is not installed."""
        fresh: dict[int, Terms] = {}
        for number, settings in sessions:
            if settings.password_hash is not None and self._check_hash is None:
                self._check_hash = argon2_check()
            networks = tuple(ipaddress.ip_network(text) for text in settings.addresses)
            fresh[number] = Terms(settings, networks)
            before = self._terms.get(number)
            if before is None or _secret(before.settings) != _secret(settings):
                self._known.pop(number, None)
        self._terms = fresh

    def judge(self, question: Question) -> tuple[bool, Verdict]:
        """(True, verdict), or (False, None): verify() has to look at the password."""
        terms = self._terms.get(question.session)
        if terms is None or not _is_at_home(question.address, terms):
            return True, SILENTLY
        wanted = terms.settings.certificate
        if wanted is not None and question.certificate != wanted:
            return True, "the client's certificate is not this session's"
        if terms.settings.password is None and terms.settings.password_hash is None:
            return True, self._rest(question)
        known = self._known.get(question.session)
        if known is not None and hmac.compare_digest(known, self._digest(question)):
            return True, self._rest(question)
        if terms.settings.password_hash is None:
            return True, self.verify(question)
        if self._is_worn_out(question):
            return True, SILENTLY
        return False, None

    def verify(self, question: Question) -> Verdict:
        """The verdict on a password that is not known to be right."""
        settings = self._terms[question.session].settings
        if settings.password_hash is not None:
            assert self._check_hash is not None
            right = self._check_hash(settings.password_hash, question.password)
        else:
            given, wanted = question.password.encode(), (settings.password or "").encode()
            right = hmac.compare_digest(given, wanted)
        if right:
            self._known[question.session] = self._digest(question)
            return self._rest(question)
        worn_out = self._is_worn_out(question)
        for place in _places(question):
            self._wrongs.add(place, question.asked_s)
        return SILENTLY if worn_out else WRONG_PASSWORD

    def _rest(self, question: Question) -> Verdict:
        """What is asked of whoever knows the password."""
        if not 1 <= question.heartbeat_s <= self._heartbeat_s:
            return f"HeartBtInt(108) must be 1 to {self._heartbeat_s} seconds"
        return None

    def _is_worn_out(self, question: Question) -> bool:
        """Have too many wrong ones come? Who never sent one from his address has a first try even
        while others guess at his session."""
        session, address, pair = _places(question)
        now_s = question.asked_s
        here = self._wrongs.count(pair, now_s)
        if max(here, self._wrongs.count(address, now_s)) >= WRONG_AT_ONCE:
            return True
        return here > 0 and self._wrongs.count(session, now_s) >= 4 * WRONG_AT_ONCE

    def _digest(self, question: Question) -> bytes:
        text = f"{question.session} {question.password}".encode()
        return hashlib.blake2b(text, key=self._key).digest()


def argon2_check() -> Callable[[str, str], bool]:
    """A function that compares an argon2 hash, as `$argon2id$...`, with a password."""
    try:
        argon2 = importlib.import_module("argon2")
    except ImportError as error:
        raise SessionError(
            "sessions: password_hash needs argon2-cffi; install touchline[argon2]"
        ) from error
    hasher = argon2.PasswordHasher()
    refusals = (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError)

    def check(password_hash: str, password: str) -> bool:
        try:
            return bool(hasher.verify(password_hash, password))
        except refusals:
            return False

    return check


def _secret(settings: SessionSettings) -> tuple[str | None, str | None]:
    return settings.password, settings.password_hash


def _places(question: Question) -> tuple[int, str, tuple[int, str]]:
    return question.session, question.address, (question.session, question.address)


def _is_at_home(address: str, terms: Terms) -> bool:
    """Does the session allow that address? Without a list it allows all."""
    if not terms.networks:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in terms.networks)
