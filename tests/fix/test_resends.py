"""What is sent again: all of it, in order, and however often it is asked for no more than twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.fix_broker import Broker
from harness.fix_client import FixClient, Message, utc_now
from harness.fix_venue import PartsVenue, running_venue
from touchline.core.messages import ExecType

ORDERS = 130  # more than one slice of a resend has
ON_THEIR_WAY = 40  # requests when the line ends: more than QuickFIX is given at a time


@pytest.fixture
def venue(tmp_path: Path, engine: str) -> Iterator[PartsVenue]:
    with running_venue(tmp_path, engine) as venue:
        yield venue


@pytest.fixture
def client(venue: PartsVenue) -> Iterator[FixClient]:
    """A broker with a Logon and so many reports behind him."""
    with FixClient(venue.port, "BROKER1") as client:
        client.logon()
        for number in range(ORDERS):
            order = f"11=r{number}|21=1|55=S00|54=1|38=10|40=2|44=10.00|60={utc_now()}"
            client.send("D", *order.split("|"))
            client.expect(_35="8", _150="0")
        yield client


def until_mark(client: FixClient, mark: str) -> list[Message]:
    """What comes before the answer to a TestRequest."""
    client.send("1", f"112={mark}")
    found: list[Message] = []
    while (message := client.receive()).get("112") != mark:
        found.append(message)
    return found


def sent_again(client: FixClient) -> list[Message]:
    """All that comes until nothing has come between two TestRequests."""
    found: list[Message] = []
    for number in range(100):
        more = until_mark(client, f"mark{number}")
        found += more
        if number and not more:
            break
    assert all(message["43"] == "Y" for message in found)
    return found


def numbers(messages: list[Message]) -> list[int]:
    return [int(message["34"]) for message in messages]


def test_a_long_resend_is_complete_and_in_order(client: FixClient) -> None:
    client.send("2", "7=1", "16=0")
    found = sent_again(client)
    assert (found[0]["35"], found[0]["34"], found[0]["36"]) == ("4", "1", "2")
    reports = [message for message in found if message["35"] == "8"]
    assert [message["11"] for message in reports] == [f"r{number}" for number in range(ORDERS)]
    assert numbers(reports) == list(range(2, ORDERS + 2))
    client.send("D", "11=on", "21=1", "55=S00", "54=1", "38=10", "40=2", "44=10.00",
                f"60={utc_now()}")  # fmt: skip
    assert int(client.expect(_35="8", _11="on")["34"]) > ORDERS + 2


def test_many_requests_at_once_cost_two_walks_at_most(client: FixClient) -> None:
    client.send_bytes(b"".join(client.message("2", "7=1", "16=0") for _ in range(40)))
    reports = [message for message in sent_again(client) if message["35"] == "8"]
    assert numbers(reports)[:ORDERS] == list(range(2, ORDERS + 2))
    assert len(reports) <= 2 * ORDERS


def test_a_part_is_sent_again_up_to_its_end(client: FixClient) -> None:
    client.send("2", "7=10", f"16={ORDERS - 10}")
    assert numbers(sent_again(client)) == list(range(10, ORDERS - 9))


@pytest.mark.parametrize("how", ["in order", "reset"])
def test_requests_on_their_way_when_the_line_ends_are_carried_out_once(
    venue: PartsVenue, how: str
) -> None:
    broker = Broker(venue, "BROKER1")
    for turn in range(3):
        names = [f"t{turn}-{number}" for number in range(ON_THEIR_WAY)]
        broker.connect()
        broker.send_all("D", [
            (f"11={name}", "21=1", "55=S00", "54=1", "38=10", "40=2", "44=10.00", f"60={utc_now()}")
            for name in names
        ])  # fmt: skip
        if how == "reset":
            broker.client.reset()
        broker.disconnect()
        broker.connect()
        broker.catch_up()
        broker.wait_for((turn + 1) * ON_THEIR_WAY)
        broker.disconnect()
        told = broker.told[turn * ON_THEIR_WAY :]
        assert [(message["11"], message["150"]) for message in told] == [(n, "0") for n in names]
    assert (venue.events()["exec_type"] == ExecType.NEW).sum() == 3 * ON_THEIR_WAY
