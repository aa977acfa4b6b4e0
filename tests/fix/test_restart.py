"""Stops and kills: sequence numbers go on, orders answer to their ClOrdIDs, reports come once."""

import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.fix_broker import Broker
from harness.fix_client import Closed, FixClient, Message, utc_now
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import until
from touchline.fix.delivery import Delivered
from touchline.fix.gateway import run
from touchline.runtime.bus import Bus
from touchline.runtime.replay import replay


@pytest.fixture
def venue(tmp_path: Path, engine: str) -> Iterator[PartsVenue]:
    with running_venue(tmp_path, engine) as venue:
        yield venue


def new_order(cl_ord_id: str, side: str, qty: int, price: str = "10.00") -> tuple[str, ...]:
    fields = f"11={cl_ord_id}|21=1|55=S00|54={side}|38={qty}|40=2|44={price}|60={utc_now()}"
    return tuple(fields.split("|"))


def change(cl_ord_id: str, orig: str, side: str, qty: int, *more: str) -> tuple[str, ...]:
    fields = f"11={cl_ord_id}|41={orig}|55=S00|54={side}|38={qty}|60={utc_now()}"
    return (*fields.split("|"), *more)


def reports(messages: list[Message]) -> list[str]:
    """ExecIDs of what was executed, in the order told."""
    return [m["17"] for m in messages if m["35"] == "8" and m["17"] != "0"]


def expected_reports(venue: PartsVenue, session_account: int) -> list[str]:
    """ExecIDs that an account should have been told of, from the journal alone."""
    found = []
    for _, events in replay(str(venue.config.journal_dir)):
        for event in events:
            kind = chr(event["exec_type"])
            mine = event["account"] == session_account
            seq, side = int(event["seq"]), int(event["side"]) - ord("0")
            if kind == "F":
                sides = [side] if mine else []
                if event["contra_account"] == session_account:
                    sides.append(3 - side)
                found += [f"{seq}-{s}" for s in sorted(sides)]
            elif kind in "045C8" and mine and event["cl_ord_id"] >> 32 == 1:
                found.append(str(seq))
    return found


def test_after_a_venue_restart_orders_answer_to_their_cl_ord_ids(venue: PartsVenue) -> None:
    brokers = [Broker(venue, "BROKER1"), Broker(venue, "OLD1", "FIX.4.2")]
    for broker in brokers:
        broker.connect()
        broker.send("D", *new_order("a", "1", 100))
        broker.send("D", *new_order("b", "1", 100, "9.00"))
        broker.send("G", *change("b2", "b", "1", 50, "21=1", "40=2", "44=9.00"))
        broker.wait_for(3)
        broker.disconnect()
    venue.restart()
    for broker in brokers:
        order_ids = [message["37"] for message in broker.told]
        broker.connect()
        broker.send("H", "11=a", "55=S00", "54=1")
        broker.send("F", *change("c", "b2", "1", 50))
        broker.send("G", *change("d", "a", "1", 70, "21=1", "40=2", "44=10.00"))
        broker.send("D", *new_order("b", "1", 100))
        broker.wait_for(7)
        told = {message["11"]: message for message in broker.told[3:]}
        status, canceled, replaced, refused = (told[name] for name in ("a", "c", "d", "b"))
        assert (status["37"], status["39"], status["151"]) == (order_ids[0], "0", "100")
        assert (canceled["37"], canceled["39"], canceled["41"]) == (order_ids[1], "4", "b2")
        assert (replaced["37"], replaced["150"], replaced["38"]) == (order_ids[0], "5", "70")
        assert (refused["39"], refused["103"]) == ("8", "6")


def test_what_happens_while_a_broker_is_away_is_told_when_it_is_back(venue: PartsVenue) -> None:
    maker, taker = Broker(venue, "BROKER2"), Broker(venue, "BROKER1")
    maker.connect()
    taker.connect()
    maker.send("D", *new_order("m", "2", 100))
    maker.wait_for(1)
    maker.disconnect()
    for number in range(3):
        taker.send("D", *new_order(f"t{number}", "1", 20))
    taker.wait_for(6)
    venue.end("gateway", signal.SIGKILL)
    assert venue.start("gateway") == "ready"
    maker.connect()
    maker.catch_up()
    assert [m.get("14") for m in maker.told] == ["0", "20", "40", "60"]
    assert maker.told[-1]["151"] == "40"


def test_long_names_and_routes_outlive_the_gateway(venue: PartsVenue) -> None:
    """The journal has them: a fill after the restart, and what is sent again, are as before."""
    maker, taker = Broker(venue, "BROKER2"), Broker(venue, "BROKER1")
    maker.connect()
    names = [letter * 64 for letter in "ab"]
    for name in names:
        maker.send("D", "50=DESK", "115=CLIENT", *new_order(name, "2", 100))
    maker.wait_for(2)
    maker.disconnect()
    venue.end("gateway", signal.SIGKILL)
    assert venue.start("gateway") == "ready"
    taker.connect()
    taker.send("D", *new_order("t", "1", 150))
    taker.wait_for(3)
    with FixClient(venue.port, "BROKER2") as client:
        client.next_seq = maker.next_out
        client.logon(reset=False)
        client.send("2", "7=1", "16=0")
        told: list[Message] = []
        while len(told) < 4:
            told += [m for m in [client.application()] if m["35"] == "8"]
    assert [(m["11"], m["39"]) for m in told] == [
        (names[0], "0"),
        (names[1], "0"),
        (names[0], "2"),
        (names[1], "1"),
    ]
    route = ("DESK", "CLIENT") if venue.fix_engine == "native" else (None, None)
    assert {(m.get("57"), m.get("128")) for m in told} == {route}


def test_a_killed_gateway_reports_everything_once(venue: PartsVenue) -> None:
    """Killed in mid-flow, again and again: no order twice, no report missing, none twice."""
    buyer, seller = Broker(venue, "BROKER1"), Broker(venue, "OLD1", "FIX.4.2")
    sent = 0
    for round_number in range(4):
        for broker in (buyer, seller):
            broker.connect()
        for _ in range(120):
            sent += 1
            buyer.send("D", *new_order(f"b{sent}", "1", 10))
            seller.send("D", *new_order(f"s{sent}", "2", 10))
        if round_number < 3:
            buyer.wait_for(len(buyer.told) + 30)
            venue.end("gateway", signal.SIGKILL)
            for broker in (buyer, seller):
                broker.disconnect()
            assert venue.start("gateway") == "ready"
    until(lambda: all_filled(buyer, seller, sent), "every order is filled")
    for broker, account in ((buyer, 0), (seller, 3)):
        broker.catch_up()
        assert reports(broker.told) == expected_reports(venue, account)
        new = [m["11"] for m in broker.told if m["150"] == "0"]
        assert sorted(new) == sorted({m["11"] for m in broker.told})
        assert len(new) == sent


def all_filled(buyer: Broker, seller: Broker, orders: int) -> bool:
    """Ask both: what one sends again after a gap makes reports for the other."""
    buyer.catch_up()
    seller.catch_up()
    filled = [sum(int(m.get("32", 0)) for m in b.told) for b in (buyer, seller)]
    assert max(filled) <= 10 * orders
    return filled == [10 * orders, 10 * orders]


def test_what_was_sent_before_the_end_of_a_line_is_done(venue: PartsVenue) -> None:
    broker = Broker(venue, "BROKER1")
    broker.connect()
    broker.send_all("D", [new_order(f"last{n}", "1", 10) for n in range(20)])
    broker.client.end_sending()
    until(lambda: len(expected_reports(venue, 0)) >= 20, "every order is with the engine")
    assert len(expected_reports(venue, 0)) == 20


def test_a_reset_of_sequence_numbers_repeats_no_report(venue: PartsVenue) -> None:
    broker = Broker(venue, "BROKER1")
    broker.connect()
    broker.send("D", *new_order("a", "1", 100))
    broker.wait_for(1)
    broker.disconnect()
    with FixClient(venue.port, "BROKER1") as client:
        until(lambda: logged_on(client), "the session is free again")
    venue.end("gateway", signal.SIGKILL)
    assert venue.start("gateway") == "ready"
    with FixClient(venue.port, "BROKER1") as client:
        assert client.logon()["34"] == "1"
        client.nothing_more("nothing is told again")
        client.send("F", *change("b", "a", "1", 100))
        client.expect(_35="8", _150="4", _41="a")


def logged_on(client: FixClient) -> bool:
    """Log on with a reset; False while the venue still thinks the session is there."""
    again = FixClient(client._socket.getpeername()[1], client.comp_id)
    with again:
        try:
            return again.logon()["35"] == "A"
        except Closed:
            return False


def test_without_its_store_the_gateway_tells_no_history(venue: PartsVenue) -> None:
    """An operator who removes the FIX files starts the sessions anew; orders are still known."""
    broker = Broker(venue, "BROKER1")
    broker.connect()
    broker.send("D", *new_order("a", "1", 100))
    broker.wait_for(1)
    venue.end("gateway")
    shutil.rmtree(venue.config.fix_dir)
    assert venue.start("gateway") == "ready"
    with FixClient(venue.port, "BROKER1") as client:
        assert client.logon(reset=False)["34"] == "1"
        client.nothing_more("no history")
        client.send("H", "11=a", "55=S00", "54=1")
        client.expect(_35="8", _39="0")


def test_a_dead_engine_is_answered_for_and_nothing_is_lost(venue: PartsVenue) -> None:
    """Requests get j while the engine is away; orders taken before it died are answered after."""
    with FixClient(venue.port, "BROKER1") as client:
        client.logon()
        client.send("D", *new_order("before", "1", 100))
        client.expect(_150="0")
        venue.end("engine", signal.SIGKILL)
        asked = 0

        def not_available() -> bool:
            nonlocal asked
            asked += 1
            client.send("D", *new_order(f"meanwhile{asked}", "1", 10))
            client.send("1", f"112=asked{asked}")
            answer = client.receive()
            if answer["35"] == "0":
                return False
            assert (answer["35"], answer["380"]) == ("j", "4"), answer
            assert client.receive()["112"] == f"asked{asked}"
            return True

        until(not_available, "the gateway notices that the engine is dead")
        assert venue.start("engine") == "ready"
        taken = [client.expect(_150="0")["11"] for _ in range(asked - 1)]
        assert taken == [f"meanwhile{n}" for n in range(1, asked)]
        until(lambda: answers(client, f"meanwhile{asked}"), "orders are taken again")
        client.nothing_more("the end")


def answers(client: FixClient, cl_ord_id: str) -> bool:
    client.send("D", *new_order(cl_ord_id, "1", 10))
    return client.application().get("150") == "0"


def test_an_instrument_listed_while_the_gateway_runs_can_be_traded(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER1") as client:
        client.logon()
        order = ["55=NEWONE" if f.startswith("55=") else f for f in new_order("a", "1", 10)]
        client.send("D", *order)
        client.expect(_39="8", _103="1")
        section = venue.config.instruments[0].model_copy(update={"symbol": "NEWONE"})
        instruments = (*venue.config.instruments, section)
        venue.set_up(venue.config.model_copy(update={"instruments": instruments}))
        until(lambda: taken(client, order), "the new instrument is known")


def taken(client: FixClient, order: list[str]) -> bool:
    client.send("D", *order)
    return client.application().get("150") == "0"


def test_a_second_gateway_is_told_why_it_can_not_start(venue: PartsVenue) -> None:
    first = venue.parts.pop("gateway")
    try:
        assert f"127.0.0.1:{venue.port}" in venue.start("gateway")
    finally:
        venue.parts["gateway"] = first


def test_a_gateway_stops_in_good_order(venue: PartsVenue) -> None:
    """Everybody is logged out, and the process ends by itself."""
    with FixClient(venue.port, "BROKER1") as client:
        client.logon()
        ending = threading.Thread(target=venue.end, args=("gateway",))
        ending.start()
        client.expect(_35="5")
        client.send("5")
        ending.join()
    with Bus.attach(str(venue.config.bus_path)) as bus:
        assert bus.status()["state"] == "running"


def test_a_gateway_tells_how_far_its_start_is_and_who_is_logged_on(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER1") as client:
        client.logon()
        for number in range(50):
            client.send("D", *new_order(f"n{number}", "1", 10))
            client.expect(_150="0")
    venue.end("gateway")
    told: list[dict[str, object]] = []
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(venue.config, stop, told.append))
    thread.start()
    try:
        until(lambda: {"ready": True} in told, "it is ready")
        progress = told[: told.index({"ready": True})]
        assert progress[-1]["progress"] == progress[-1]["of"]
        assert int(str(progress[-1]["of"])) > 100
        until(lambda: any("beat" in facts for facts in told), "a sign of life")
        with FixClient(venue.port, "BROKER2") as client:
            client.logon()
            until(lambda: {"sessions": ["BROKER2"]} in told, "who is logged on")
        until(lambda: told[-1] == {"sessions": []} or {"sessions": []} in told[5:], "who left")
    finally:
        stop.set()
        thread.join()


def forget_the_last_report(venue: PartsVenue, filled: Message) -> None:
    """Make QuickFIX's marks what they were before the report that followed."""
    marks = Delivered(venue.config.fix_dir / "delivered")
    event, side = filled["17"].split("-")
    fill = int(event) * 4 + int(side)
    for session in range(5):
        if marks.mark(session) > fill:
            marks.set_mark(session, fill)
    marks.close()


def test_a_refused_cancel_that_was_stored_is_not_told_again(venue: PartsVenue, engine: str) -> None:
    """Killed after the store had it and, with QuickFIX, before the mark did: what the mark did not
    say is known by the ClOrdID. A cancel of an order that is over is refused by the engine."""
    broker, other = Broker(venue, "BROKER1"), Broker(venue, "BROKER2")
    broker.connect()
    other.connect()
    broker.send("D", *new_order("a", "1", 100))
    broker.wait_for(1)
    other.send("D", *new_order("x", "2", 100))
    broker.wait_for(2)
    broker.send("F", *change("c", "a", "1", 100))
    broker.wait_for(3)
    assert broker.told[-1]["35"] == "9"
    venue.end("gateway", signal.SIGKILL)
    if engine == "quickfix":
        forget_the_last_report(venue, broker.told[1])
    broker.disconnect()
    assert venue.start("gateway") == "ready"
    broker.connect()
    broker.catch_up()
    assert [message["35"] for message in broker.told] == ["8", "8", "9"]
    broker.send("H", "11=a", "55=S00", "54=1")
    broker.wait_for(4)
    assert broker.told[-1]["39"] == "2"
