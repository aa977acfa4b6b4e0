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
        client.send("D", *order("b1", "1138=10"))
        report = client.application()
        assert (report["150"], report["103"]) == ("8", "11")
        assert report["58"] == "DisplayQty(1138) is not supported"


@pytest.mark.parametrize("version", ["7", "6", ""])
def test_a_logon_for_another_version_does_not_come_in(venue: PartsVenue, version: str) -> None:
    with FixClient(venue.port, "NEW2", "FIXT.1.1") as client:
        try:
            answer = client.logon(*([f"1137={version}"] if version else []))
        except (Closed, ConnectionError):
            return
        assert answer["35"] == "5"
