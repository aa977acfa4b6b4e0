"""FIX 5.0 SP2 over FIXT.1.1: the version of the application stands in the Logon."""

from collections.abc import Iterator

import pytest

from harness.fix_client import Closed, FixClient, utc_now
from harness.fix_venue import PartsVenue, running_venue

SESSIONS = [
    {"comp_id": "NEW1", "begin_string": "FIXT.1.1", "accounts": ["ACC1"], "time_decimals": 9},
    {"comp_id": "NEW2", "begin_string": "FIXT.1.1", "accounts": ["ACC2"]},
]
NANOSECONDS = len("20261129-07:11:58.066042905")


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PartsVenue]:
    with running_venue(tmp_path_factory.mktemp("venue"), sessions=SESSIONS) as venue:
        yield venue


def order(cl_ord_id: str, *more: str) -> list[str]:
    common = f"11={cl_ord_id}|55=S00|54=1|38=100|40=2|44=10.00|60={utc_now()}".split("|")
    return [*common, *more]


def test_an_order_of_fix_50_is_entered_and_canceled(venue: PartsVenue) -> None:
    with FixClient(venue.port, "NEW1", "FIXT.1.1") as client:
        assert client.logon("1137=9")["1137"] == "9"
        client.send("D", *order("a1"))
        report = client.application()
        assert (report["150"], report["39"], report["11"]) == ("0", "0", "a1")
        assert len(report["60"]) == len(report["52"]) == NANOSECONDS
        client.send("F", "11=a2", "41=a1", "55=S00", "54=1", f"60={utc_now()}")
        assert client.application()["150"] == "4"


def test_a_field_of_fix_50_that_is_not_offered_is_refused(venue: PartsVenue) -> None:
    with FixClient(venue.port, "NEW1", "FIXT.1.1") as client:
        client.logon("1137=9")
        client.send("D", *order("b1", "1082=10"))
        report = client.application()
        assert (report["150"], report["103"]) == ("8", "11")
        assert report["58"] == "SecondaryDisplayQty(1082) is not supported"


def test_an_order_is_named_by_its_order_id_alone(venue: PartsVenue) -> None:
    """FIX 5.0 leaves ClOrdID(11) and OrigClOrdID(41) out where OrderID(37) is there."""
    with FixClient(venue.port, "NEW1", "FIXT.1.1") as client:
        client.logon("1137=9")
        client.send("D", *order("c1"))
        order_id = client.application()["37"]
        client.send("H", f"37={order_id}", "55=S00", "54=1")
        status = client.application()
        assert (status["150"], status["39"], status["11"]) == ("I", "0", "c1")
        for name, answer in (("c2", ("8", "4")), ("c3", ("9", "4"))):
            client.send("F", f"11={name}", f"37={order_id}", "55=S00", "54=1", f"60={utc_now()}")
            report = client.application()
            assert (report["35"], report["39"], report["11"]) == (*answer, name)
        assert report["102"] == "0"
        client.send("F", "11=c4", "55=S00", "54=1", f"60={utc_now()}")
        assert client.application()["380"] == "5"


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("2362=OWN", "SelfMatchPreventionID(2362) is not supported"),
        ("41109=Y", "field 41109 is not supported"),
        ("775=1", "BookingType(775) 1 is not supported"),
    ],
)
def test_a_later_field_that_means_something_is_refused(
    venue: PartsVenue, field: str, words: str
) -> None:
    with FixClient(venue.port, "NEW1", "FIXT.1.1") as client:
        client.logon("1137=9")
        client.send("D", *order("d1", field))
        report = client.application()
        assert (report["150"], report["103"], report["58"]) == ("8", "11", words)


def test_what_a_report_goes_back_to_is_harmless(venue: PartsVenue) -> None:
    with FixClient(venue.port, "NEW1", "FIXT.1.1") as client:
        client.logon("1137=9")
        client.send("D", *order("e1", "23=IOI", "117=Q", "75=20261129", "775=0", "30000=own"))
        assert client.application()["150"] == "0"
        client.send("F", "11=e2", "41=e1", "55=S00", "54=1", f"60={utc_now()}")
        assert client.application()["150"] == "4"


@pytest.mark.parametrize("version", ["7", "6", ""])
def test_a_logon_for_another_version_does_not_come_in(venue: PartsVenue, version: str) -> None:
    with FixClient(venue.port, "NEW2", "FIXT.1.1") as client:
        try:
            answer = client.logon(*([f"1137={version}"] if version else []))
        except (Closed, ConnectionError):
            return
        assert answer["35"] == "5"


def test_many_orders_and_trades_are_asked_about(venue: PartsVenue) -> None:
    with FixClient(venue.port, "NEW1", "FIXT.1.1") as client:
        client.logon("1137=9")
        buy = [field.replace("55=S00", "55=S01") for field in order("m1")]
        client.send("D", *buy)
        assert client.application()["150"] == "0"
        changed = {"11=m1": "11=m2", "54=1": "54=2", "38=100": "38=40"}
        client.send("D", *(changed.get(field, field) for field in buy))
        assert [client.application()["39"] for _ in range(3)] == ["0", "1", "2"]
        client.send("AF", "584=all", "585=1", "55=S01")
        status = client.expect(_35="8", _584="all", _911="1", _912="Y", _11="m1")
        assert (status["150"], status["151"]) == ("I", "60")
        client.send("AD", "568=t", "569=1", "1003=" + trade_of(client))
        client.expect(_35="AQ", _568="t", _748="2", _749="0", _750="0")
        bought = client.expect(_35="AE", _54="1", _1="ACC1", _11="m1", _912="N")
        sold = client.expect(_35="AE", _54="2", _11="m2", _912="Y", _1003=bought["1003"])
        assert (bought["571"], sold["571"]) == (f"{bought['1003']}-1", f"{bought['1003']}-2")
        client.send("q", "11=m3", "530=1", "55=S01", f"60={utc_now()}")
        client.expect(_35="8", _11="m1", _150="4")
        report = client.expect(_35="r", _11="m3", _531="1", _533="1")
        assert report["1369"] == report["37"]


def trade_of(client: FixClient) -> str:
    """The number of the one trade there is in S01."""
    client.send("AD", "568=first", "569=1", "55=S01")
    client.expect(_35="AQ", _748="2")
    trades = [client.expect(_35="AE")["1003"] for _ in range(2)]
    assert trades[0] == trades[1]
    return trades[0]
