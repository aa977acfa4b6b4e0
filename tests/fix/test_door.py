"""Who gets in: logons, passwords, second logons; and whom garbage at the door disturbs: nobody."""

import contextlib
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from harness.fix_client import Closed, FixClient, framed, utc_now
from harness.fix_venue import PartsVenue, running_venue
from touchline.errors import SessionError
from touchline.fix.entrance import bound
from touchline.fix.roster import Roster
from touchline.fix.settings import GatewaySettings


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[PartsVenue]:
    with running_venue(tmp_path_factory.mktemp("venue"), engine) as venue:
        yield venue


def refused(client: FixClient) -> bool:
    with pytest.raises(Closed):
        client.receive()
    return True


def order(cl_ord_id: str) -> tuple[str, ...]:
    fields = f"11={cl_ord_id}|55=S00|54=1|38=10|40=2|44=1.00|60={utc_now()}"
    return tuple(fields.split("|"))


def test_an_unknown_session_is_refused(venue: PartsVenue) -> None:
    for comp_id, begin_string in (("NOBODY", "FIX.4.4"), ("OLD1", "FIX.4.4"), ("OLD1", "FIX.4.3")):
        with FixClient(venue.port, comp_id, begin_string) as client:
            client.send("A", "98=0", "108=30")
            assert refused(client)


def test_a_wrong_password_is_answered_and_refused(venue: PartsVenue) -> None:
    for given in ((), ("554=wrong",), ("554=sécret",)):
        with FixClient(venue.port, "LOCKED") as client:
            answer = client.logon(*given, reset=False)
            assert answer["35"] == "5"
            assert "Password(554)" in answer["58"]
            assert refused(client)


def test_a_wrong_password_does_not_reset_sequence_numbers(venue: PartsVenue) -> None:
    with FixClient(venue.port, "LOCKED") as client:
        assert client.logon("554=secret")["34"] == "1"
        client.nothing_more("mark")
        client.send("5")
        assert client.receive()["34"] == "3"
    with FixClient(venue.port, "LOCKED") as thief:
        thief.send("A", "98=0", "108=30", "141=Y", "554=wrong")
        with contextlib.suppress(Closed):  # the native engine says why
            assert thief.receive()["35"] == "5"
        assert refused(thief)
    with FixClient(venue.port, "LOCKED") as client:
        client.next_seq = 4
        assert client.logon("554=secret", reset=False)["34"] == "4"


def test_the_password_of_fix_42_may_come_in_raw_data(venue: PartsVenue) -> None:
    with FixClient(venue.port, "OLD2", "FIX.4.2") as client:
        assert client.logon("95=6", "96=secret")["35"] == "A"


def test_a_heartbeat_interval_out_of_range_is_refused(venue: PartsVenue) -> None:
    for interval in ("0", "31", "3600"):
        with FixClient(venue.port, "BROKER2") as client:
            client.send("A", "98=0", f"108={interval}")
            answer = client.receive()
            assert (answer["35"], "HeartBtInt(108)" in answer["58"]) == ("5", True)


def test_a_second_logon_is_refused_and_the_first_session_goes_on(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER1") as first:
        assert first.logon()["35"] == "A"
        for reset in (False, True):
            with FixClient(venue.port, "BROKER1") as second:
                second.send("A", "98=0", "108=30", *(["141=Y"] if reset else []))
                assert refused(second)
        first.send("D", *order("second-logon"))
        first.expect(_35="8", _150="0", _34="2")


GARBAGE = {
    "nothing": b"",
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "binary": bytes(range(256)) * 32,
    "the start of a logon": b"8=FIX.4.4\x019=70\x0135=A\x01",
    "an absurd length": b"8=FIX.4.4\x019=999999999\x0135=A\x01",
    "a negative length": b"8=FIX.4.4\x019=-5\x0135=A\x0110=000\x01",
    "a wrong checksum": framed("FIX.4.4", "35=A\x0134=1\x0149=BROKER1\x01")[:-4] + b"999\x01",
    "an order first": framed("FIX.4.4", "35=D\x0134=1\x0149=BROKER1\x0156=TOUCHLINE\x01"),
    "a logon without fields": framed("FIX.4.4", "35=A\x01"),
    "no logon at all, but much": b"8=FIX.4.4\x01" + b"x" * 100_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_harms_nobody(venue: PartsVenue, garbage: bytes) -> None:
    """The other session is answered while the garbage is still there, and after it is gone."""
    with FixClient(venue.port, "BROKER1") as client:
        assert client.logon()["35"] == "A"
        with socket.create_connection(("127.0.0.1", venue.port), 10.0) as vandal:
            vandal.sendall(garbage)
            client.nothing_more("while it is there")
        client.nothing_more("after it is gone")


def test_a_logon_in_pieces_is_let_in(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER1") as client:
        logon = client.message("A", "98=0", "108=30", "141=Y")
        for start, end in pairwise((0, 5, 30, len(logon))):
            client.send_bytes(logon[start:end])
        assert client.receive()["35"] == "A"


def test_a_port_in_use_is_named(venue: PartsVenue) -> None:
    with pytest.raises(OSError, match=f"127.0.0.1:{venue.port}"):
        bound("127.0.0.1", venue.port)


def test_the_port_may_be_of_ipv6(tmp_path: Path, engine: str) -> None:
    try:
        with bound("::1", 0) as free:
            port = free.getsockname()[1]
    except OSError as error:
        pytest.skip(f"no IPv6 loopback here: {error}")
    with running_venue(tmp_path, fix={"host": "::1", "port": port, "engine": engine}):
        with socket.create_connection(("::1", port), 10.0) as client:
            client.sendall(framed("FIX.4.4", "35=A\x0149=NOBODY\x01"))
            assert client.recv(1) == b""
        with pytest.raises(OSError, match=rf"\[::1\]:{port}"):
            bound("::1", port)


def test_only_the_configured_address_listens(venue: PartsVenue) -> None:
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", venue.port), 5.0):
        pass


def test_a_session_without_a_number_is_an_error(venue: PartsVenue) -> None:
    settings = GatewaySettings.from_config(venue.config)
    with pytest.raises(SessionError, match="BROKER1"):
        Roster(settings, {})
