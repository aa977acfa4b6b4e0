"""Before a good Logon nothing counts: who is silent, slow, malformed or guessing harms nobody.

What a stranger who knows a CompID but no password can send. The native engine's alone; that a
gateway of either engine survives is in the attacks.
"""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from harness.fix_client import Closed, FixClient, framed, utc_now
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import free_ports, until

NEWCOMERS = 16
SOH = "\x01"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PartsVenue]:
    fix = {"port": free_ports(1)[0], "newcomers_max": NEWCOMERS, "logon_timeout_s": 0.5}
    with running_venue(tmp_path_factory.mktemp("venue"), fix=fix) as venue:
        yield venue


def logon_of(comp_id: str, *fields: str, seq: int = 1) -> bytes:
    head = ("35=A", f"34={seq}", f"49={comp_id}", "56=TOUCHLINE", f"52={utc_now()}")
    return framed("FIX.4.4", SOH.join((*head, *fields)) + SOH)


def connected(venue: PartsVenue) -> socket.socket:
    return socket.create_connection(("127.0.0.1", venue.port), 30.0)


def next_numbers(venue: PartsVenue, expected_in: int) -> int:
    """Log LOCKED on with the number it should use; MsgSeqNum of the answer. Then off again."""
    with FixClient(venue.port, "LOCKED") as client:
        client.next_seq = expected_in
        answer = client.logon("554=secret", reset=False)
        assert answer["35"] == "A", answer
        client.send("5")
        assert client.receive()["35"] == "5"
        return int(answer["34"])


STRANGE = {
    "a data length beyond all bounds": ("98=0", "108=30", "95=1000000000", "96=x"),
    "a negative data length": ("98=0", "108=30", "95=-5"),
    "a negative length of XmlData": ("98=0", "108=30", "212=-1", "213=x"),
    "a tag with leading zeros": ("98=0", "108=30", "554=wrong", "0141=Y"),
    "a field within data": ("98=0", "108=30", "554=wrong", "95=7", "96=a\x01141=N", "141=Y"),
    "an unknown tag": ("98=0", "108=30", "999=1"),
    "a flag in lower case": ("98=0", "108=30", "141=y"),
    "an empty field": ("98=0", "108=30", "58="),
    "a field twice": ("98=0", "98=0", "108=30"),
    "no heartbeat interval": ("98=0",),
    "encryption": ("98=2", "108=30"),
    "a wrong password and a reset": ("98=0", "108=30", "554=wrong", "141=Y"),
    "no password": ("98=0", "108=30"),
}


@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
def test_a_strange_logon_changes_no_number_and_keeps_nobody_out(
    venue: PartsVenue, fields: tuple[str, ...]
) -> None:
    with FixClient(venue.port, "LOCKED") as client:
        assert client.logon("554=secret")["34"] == "1"
        client.send("5")
        assert client.receive()["34"] == "2"
    with connected(venue) as stranger:
        stranger.sendall(logon_of("LOCKED", *fields))
        reset = framed("FIX.4.4", f"35=4{SOH}34=2{SOH}49=LOCKED{SOH}56=TOUCHLINE{SOH}"
                       f"52={utc_now()}{SOH}123=N{SOH}36=1000000{SOH}")  # fmt: skip
        with contextlib.suppress(OSError):
            stranger.sendall(reset)
        assert next_numbers(venue, 3) == 3
        assert next_numbers(venue, 5) == 5


def test_a_hundred_wrong_passwords_use_no_number(venue: PartsVenue) -> None:
    with FixClient(venue.port, "LOCKED") as client:
        client.logon("554=secret")
        client.send("5")
        client.receive()
    answered = 0
    for number in range(100):
        with FixClient(venue.port, "LOCKED") as thief:
            thief.send("A", "98=0", "108=30", f"554=guess{number}")
            with contextlib.suppress(Closed):
                assert thief.receive()["35"] == "5"
                answered += 1
    assert answered < 20, "later ones are closed without a word"
    assert next_numbers(venue, 3) == 3


def test_silent_connections_keep_nobody_out(venue: PartsVenue) -> None:
    """Far more than there are places: the oldest goes each time."""
    with contextlib.ExitStack() as held:
        silent = [held.enter_context(connected(venue)) for _ in range(8 * NEWCOMERS)]
        with FixClient(venue.port, "BROKER1") as client:
            assert client.logon()["35"] == "A"
            client.nothing_more("among the silent")
        assert silent[0].recv(1) == b""


def test_a_trickle_has_one_deadline_for_all_of_its_logon(venue: PartsVenue) -> None:
    """However often a byte comes, it is over with the deadline."""
    logon = logon_of("BROKER1", "98=0", "108=30", "58=" + "x" * 4000)
    with connected(venue) as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = 0

        def ended() -> bool:
            nonlocal sent
            try:
                slow.sendall(logon[sent : sent + 1])
            except OSError:
                return True
            sent += 1
            return False

        until(ended, "the trickle is closed")
        assert sent < len(logon)


def test_a_logon_of_a_session_that_is_here_harms_it_not(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER1") as client:
        client.logon()
        for _ in range(200):
            with connected(venue) as other:
                other.sendall(logon_of("BROKER1", "98=0", "108=30"))
                assert other.recv(1) == b""
        client.nothing_more("still here")


def test_who_comes_back_at_once_is_let_in(venue: PartsVenue) -> None:
    """The end of the last connection has come before the new one's Logon, so it is known."""
    for _ in range(50):
        with FixClient(venue.port, "BROKER1") as client:
            assert client.logon()["35"] == "A"


def test_orders_behind_a_logon_are_read_once_it_is_accepted(venue: PartsVenue) -> None:
    """One write holds Logon and more: while the policy thinks, nothing of it is lost."""
    with FixClient(venue.port, "BROKER1") as client:
        both = client.message("A", "98=0", "108=30", "141=Y") + client.message("1", "112=behind")
        client.send_bytes(both)
        assert client.receive()["35"] == "A"
        assert client.receive()["112"] == "behind"
