"""The publisher over real sockets: late joiners, losses, restarts and senseless requests."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from harness.commands import SYMBOLS, commands, listing
from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S, until
from publish.publishing import all_published, assert_books_equal, follow, publishing, subscribe
from touchline.control.publish import publisher as publish
from touchline.control.publish import snapshots
from touchline.control.publish import sockets as publish_sockets
from touchline.control.publish.publisher import Publisher
from touchline.core.messages import LANE_ADMIN, EntryStatus, MsgType, TradingStatus
from touchline.errors import ImpossibleEvent, TouchlineError
from touchline.marketdata import HEADER, HEARTBEAT_TOPIC, Kind, Subscriber, Update
from touchline.runtime.feed import EventFeed


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


def send_slowly(
    venue: ThreadVenue, rows: NDArray[np.void], joined: threading.Event
) -> threading.Thread:
    """Send in small pieces, the last quarter only when others have joined in mid-flow."""

    def work() -> None:
        for low in range(0, len(rows), 50):
            if low == len(rows) * 3 // 4:
                joined.wait(DEADLINE_S)
            venue.send(rows[low : low + 50])

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_subscriber_that_joins_in_mid_flow_ends_with_the_books_of_the_engine(
    venue: ThreadVenue, seed: int
) -> None:
    joined = threading.Event()
    with publishing(venue) as publisher:
        sender = send_slowly(venue, order_flow(seed, 4000), joined)
        until(lambda: venue.event_seq > 1000, "the flow is under way")
        with subscribe(publisher) as every, subscribe(publisher, "AAA") as one:
            began = every.event_seq
            joined.set()
            while sender.is_alive():
                every.poll(0.01)
                one.poll(0)
            sender.join()
            updates = follow(every, venue.event_seq)
            follow(one, venue.event_seq)
            engine = venue.engine()
            assert began < venue.event_seq == engine.event_seq
            assert every.symbols == list(SYMBOLS)
            assert one.symbols == ["AAA"]
            assert_books_equal(every, engine)
            assert_books_equal(one, engine)
            assert all(update.kind in Kind for update in updates)


def test_a_snapshot_built_in_slices_between_batches_joins_exactly(
    venue: ThreadVenue, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its books hold at different events, each at the numbers that stand beside it."""
    monkeypatch.setattr(snapshots, "SLICE_INSTRUMENTS", 1)
    joined = threading.Event()
    with publishing(venue) as publisher:
        sender = send_slowly(venue, order_flow(seed, 4000), joined)
        until(lambda: venue.event_seq > 1000, "the flow is under way")
        late = [subscribe(publisher) for _ in range(5)]
        joined.set()
        sender.join()
        for subscriber in late:
            with subscriber:
                follow(subscriber, venue.event_seq)
                assert_books_equal(subscriber, venue.engine())


def test_a_publisher_tells_how_far_it_has_caught_up(
    venue: ThreadVenue, seed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(publish, "STATE_S", 0.001)
    monkeypatch.setattr(publish, "EVENTS_MAX", 2)
    venue.send(order_flow(seed, 4000))
    with caplog.at_level("INFO"), publishing(venue) as publisher:
        until(lambda: publisher.mirror.event_seq == venue.event_seq, "it has caught up")
    told = [r.facts for r in caplog.records if r.msg == "publisher is catching up"]  # type: ignore[attr-defined]
    assert told
    assert all(0 < one["event"] <= one["of"] == venue.event_seq for one in told)


def test_an_event_that_cannot_be_ends_the_publisher_and_is_named(
    venue: ThreadVenue, tmp_path: Path
) -> None:
    path = tmp_path / "publish.json"
    with EventFeed(venue.config.bus_path, venue.config.journal_dir) as feed:
        publisher = Publisher(
            feed,
            venue.config.journal_dir,
            publish=["tcp://127.0.0.1:*"],
            snapshot=["tcp://127.0.0.1:*"],
            state_path=path,
        )
        publisher.mirror.apply(venue.events()[:1])
        refusal = pytest.raises(ImpossibleEvent, match="event 1 is impossible: it does not follow")
        with refusal, publisher:
            publisher.serve(threading.Event(), venue.event_seq)
    assert json.loads(path.read_text())["error"].startswith("event 1 is impossible")


def test_the_records_of_a_topic_are_numbered_without_a_gap(venue: ThreadVenue, seed: int) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        follow(subscriber, venue.event_seq)
        before = {symbol: list(subscriber.book(symbol).seqs) for symbol in SYMBOLS}
        venue.send(order_flow(seed, 1500))
        updates = follow(subscriber, venue.event_seq)
        assert subscriber.resyncs == 0
        for symbol in SYMBOLS:
            for kind in (Kind.TRADES, Kind.BBO, Kind.DEPTH):
                records = [u.records for u in updates if (u.kind, u.symbol) == (kind, symbol)]
                count = sum(len(r) for r in records)
                assert subscriber.book(symbol).seqs[kind] == before[symbol][kind] + count
                seqs = np.concatenate([r["event_seq"] for r in records])
                assert (np.diff(seqs.astype(np.int64)) >= 0).all()


def test_every_trade_is_published_with_its_event_price_and_quantity(
    venue: ThreadVenue, seed: int
) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        follow(subscriber, venue.event_seq)
        venue.send(order_flow(seed, 1500))
        updates = follow(subscriber, venue.event_seq)
    events = venue.events()
    trades = events[events["exec_type"] == ord("F")]
    fields = ("seq", "ts_ns", "price", "qty", "side")
    wanted = sorted(tuple(trade[name].item() for name in fields) for trade in trades)
    got = sorted(record.item() for u in updates if u.kind == Kind.TRADES for record in u.records)
    assert got == wanted


def test_a_subscriber_notices_what_it_has_lost_and_gets_a_new_snapshot(
    venue: ThreadVenue, seed: int
) -> None:
    rows = order_flow(seed, 3000)
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        venue.send(rows[:1000])
        follow(subscriber, venue.event_seq)
        # The connection is cut, as by a network, and comes back after the flow has gone on.
        subscriber._updates.disconnect(publisher.publish_endpoint)
        venue.send(rows[1000:2500])
        all_published(venue, publisher)
        subscriber._updates.connect(publisher.publish_endpoint)
        venue.send(rows[2500:])
        follow(subscriber, venue.event_seq)
        assert subscriber.resyncs > 0
        assert_books_equal(subscriber, venue.engine())


def test_a_heartbeat_alone_shows_that_the_last_messages_were_lost(
    venue: ThreadVenue, seed: int
) -> None:
    rows = order_flow(seed, 800)
    with publishing(venue) as publisher, subscribe(publisher, "BBB") as subscriber:
        venue.send(rows[:400])
        follow(subscriber, venue.event_seq)
        subscriber._updates.disconnect(publisher.publish_endpoint)
        venue.send(rows[400:])
        all_published(venue, publisher)
        subscriber._updates.connect(publisher.publish_endpoint)
        follow(subscriber, venue.event_seq)
        assert subscriber.resyncs == 1
        assert_books_equal(subscriber, venue.engine())


def test_numbers_go_on_when_the_publisher_is_started_again(venue: ThreadVenue, seed: int) -> None:
    rows = order_flow(seed, 2000)
    with publishing(venue) as publisher:
        ports = tuple(
            endpoint.rsplit(":", 1)[1]
            for endpoint in (publisher.publish_endpoint, publisher.snapshot_endpoint)
        )
        subscriber = subscribe(publisher)
        venue.send(rows[:1000])
        follow(subscriber, venue.event_seq)
        before = {symbol: list(subscriber.book(symbol).seqs) for symbol in SYMBOLS}
    with subscriber, publishing(venue, (ports[0], ports[1])):
        heartbeats = [u for u in follow_one_more_heartbeat(subscriber) if u.kind == Kind.HEARTBEAT]
        assert {tuple(row)[1:] for row in heartbeats[-1].records.tolist()} == {
            tuple(seqs) for seqs in before.values()
        }
        assert subscriber.resyncs == 0
        venue.send(rows[1000:])
        follow(subscriber, venue.event_seq)
        assert_books_equal(subscriber, venue.engine())


def follow_one_more_heartbeat(subscriber: Subscriber) -> list[Update]:
    found: list[Update] = []

    def there() -> bool:
        found.extend(subscriber.poll(0.5))
        return any(update.kind == Kind.HEARTBEAT for update in found)

    until(there, "a heartbeat")
    return found


def test_events_missed_while_no_publisher_ran_are_in_the_next_snapshot(
    venue: ThreadVenue, seed: int
) -> None:
    rows = order_flow(seed, 2000)
    with publishing(venue) as publisher:
        ports = [
            endpoint.rsplit(":", 1)[1]
            for endpoint in (publisher.publish_endpoint, publisher.snapshot_endpoint)
        ]
        subscriber = subscribe(publisher)
        venue.send(rows[:500])
        follow(subscriber, venue.event_seq)
    venue.send(rows[500:])
    with subscriber, publishing(venue, (ports[0], ports[1])):
        follow(subscriber, venue.event_seq)
        assert subscriber.resyncs >= 1
        assert_books_equal(subscriber, venue.engine())


def test_another_journal_behind_the_same_addresses_is_noticed(tmp_path: Path, seed: int) -> None:
    with ThreadVenue(tmp_path / "one").running() as first:
        first.open()
        first.send(order_flow(seed, 500))
        with publishing(first) as publisher:
            ports = [
                endpoint.rsplit(":", 1)[1]
                for endpoint in (publisher.publish_endpoint, publisher.snapshot_endpoint)
            ]
            subscriber = subscribe(publisher)
            follow(subscriber, first.event_seq)
    with ThreadVenue(tmp_path / "two").running() as second, subscriber:
        second.open()
        second.send(order_flow(seed + 1, 300))
        with publishing(second, (ports[0], ports[1])):
            until(
                lambda: bool(subscriber.poll(0.5)) and subscriber.event_seq == second.event_seq,
                "the second venue's books",
            )
            assert_books_equal(subscriber, second.engine())


def test_a_lapped_publisher_reads_on_from_the_journal(tmp_path: Path, seed: int) -> None:
    with ThreadVenue(tmp_path).running(event_slots=1024) as venue:
        venue.open()
        venue.send(order_flow(seed, 3000))
        with publishing(venue) as publisher, subscribe(publisher) as subscriber:
            follow(subscriber, venue.event_seq)
            assert venue.event_seq > 2 * 1024
            assert_books_equal(subscriber, venue.engine())


def test_a_publisher_follows_an_engine_that_is_started_again(tmp_path: Path, seed: int) -> None:
    rows = order_flow(seed, 2000)
    venue = ThreadVenue(tmp_path)
    with ExitStack() as stack:
        with venue.running():
            venue.open()
            publisher = stack.enter_context(publishing(venue))
            subscriber = stack.enter_context(subscribe(publisher))
            venue.send(rows[:1000])
            follow(subscriber, venue.event_seq)
        with venue.running():
            venue.send(rows[1000:])
            follow(subscriber, venue.event_seq)
            assert subscriber.resyncs == 0
            assert_books_equal(subscriber, venue.engine())


def test_status_tells_of_halts_and_of_the_kill_switch(venue: ThreadVenue) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        halt = {"type": MsgType.SECURITY_STATUS, "instrument": 1, "field": TradingStatus.HALTED}
        kill = {"type": MsgType.VENUE_STATUS, "field": EntryStatus.BLOCKED}
        venue.send(commands([halt, kill]), LANE_ADMIN)
        updates = follow(subscriber, venue.event_seq)
        assert [subscriber.book(symbol).trading_status for symbol in SYMBOLS] == [
            TradingStatus.READY_TO_TRADE,
            TradingStatus.HALTED,
            TradingStatus.READY_TO_TRADE,
        ]
        assert {subscriber.book(symbol).entry_status for symbol in SYMBOLS} == {EntryStatus.BLOCKED}
        told = {u.symbol for u in updates if u.kind == Kind.STATUS}
        assert told == set(SYMBOLS)
        with subscribe(publisher, "AAA") as late:
            assert late.book("AAA").trading_status == TradingStatus.HALTED


def test_an_instrument_listed_later_appears_by_itself(venue: ThreadVenue) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        follow(subscriber, venue.event_seq)
        venue.send(commands(listing(5, "NEW", "0.5")), LANE_ADMIN)
        follow(subscriber, venue.event_seq)
        assert subscriber.symbols == [*SYMBOLS, "NEW"]
        assert str(subscriber.book("NEW").instrument.tick_size) == "0.5"


def ask(publisher: Publisher, *frames: bytes) -> list[bytes]:
    """What a plain REQ socket gets for an answer."""
    with zmq.Context() as context, context.socket(zmq.REQ) as requests:
        requests.linger = 0
        requests.connect(publisher.snapshot_endpoint)
        requests.send_multipart(frames)
        assert requests.poll(int(DEADLINE_S * 1000)), "no answer"
        return list(requests.recv_multipart())


def test_a_bad_snapshot_request_is_told_what_is_wrong(venue: ThreadVenue) -> None:
    wrong = {
        (b"",): "not JSON",
        (b"\xff\x00",): "not JSON",
        (b"[" * 100_000,): "not JSON",
        (b"[1]",): "a request is a JSON object",
        (b'{"symbol": "AAA"}',): "unknown key 'symbol'",
        (b'{"id": {}}',): "id is a number or a text",
        (b'{"symbols": "AAA"}',): "symbols is a list",
        (b'{"symbols": [1]}',): "symbols is a list",
        (b'{"symbols": ["AAA", "ZZZ"]}',): "unknown symbol 'ZZZ'; listed are: AA, AAA, BBB",
        (b"{}", b"{}"): "one frame of JSON, not 2 frames",
    }
    with publishing(venue) as publisher:
        for request, reason in wrong.items():
            (answer,) = ask(publisher, *request)
            assert reason in json.loads(answer)["error"]
        head, *levels = ask(publisher, b'{"id": 7, "symbols": ["BBB", "AA"]}')
        told = json.loads(head)
        assert (told["id"], told["event_seq"]) == (7, venue.event_seq)
        assert [state["symbol"] for state in told["instruments"]] == ["BBB", "AA"]
        assert levels == [b"", b""]


def test_a_subscriber_to_an_unknown_symbol_is_refused_by_name(venue: ThreadVenue) -> None:
    with publishing(venue) as publisher, pytest.raises(TouchlineError, match="symbol 'ZZZ'"):
        subscribe(publisher, "ZZZ")


def test_garbage_on_either_port_harms_nothing(venue: ThreadVenue, seed: int) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        for endpoint in (publisher.publish_endpoint, publisher.snapshot_endpoint):
            with socket.create_connection(("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))) as raw:
                raw.sendall(b"\xff" * 4096 + b"GET / HTTP/1.1\r\n\r\n")
        venue.send(order_flow(seed, 300))
        follow(subscriber, venue.event_seq)
        assert_books_equal(subscriber, venue.engine())


def test_an_address_in_use_is_named(venue: ThreadVenue) -> None:
    with publishing(venue) as publisher:
        port = publisher.publish_endpoint.rsplit(":", 1)[1]
        refusal = pytest.raises(OSError, match=f"cannot publish on tcp://127.0.0.1:{port}")
        with refusal, publishing(venue, (port, "*")):
            pass


def test_a_subscriber_that_does_not_read_holds_nothing_up(
    venue: ThreadVenue, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_sockets, "MESSAGES_MAX", 1)
    with (
        publishing(venue) as publisher,
        zmq.Context() as context,
        context.socket(zmq.SUB) as sleeper,
    ):
        sleeper.rcvhwm = 1
        sleeper.rcvbuf = 4096
        sleeper.subscribe(b"depth/")
        sleeper.subscribe(HEARTBEAT_TOPIC)
        sleeper.connect(publisher.publish_endpoint)
        assert sleeper.poll(int(DEADLINE_S * 1000)), "nothing published"
        for rows in np.array_split(order_flow(seed, 3000), 300):
            venue.send(rows)
        until(lambda: publisher.mirror.event_seq == venue.event_seq, "publisher keeps up")
        got = 0
        while sleeper.poll(200):
            name, message = sleeper.recv_multipart()
            if name != HEARTBEAT_TOPIC:
                got += int(np.frombuffer(message, HEADER, 1)["count"][0])
            elif np.frombuffer(message, HEADER, 1)["event_seq"][0] == venue.event_seq:
                break
        mirror = publisher.mirror
        assert got < sum(mirror.state(n).seqs[Kind.DEPTH] for n in mirror.numbers())
        assert publisher._outlet.dropped > 0


def test_run_publishes_on_the_ports_of_the_configuration(tmp_path: Path, seed: int) -> None:
    ports = free_ports(2)
    venue = ThreadVenue(tmp_path, publish__pub_port=ports[0], publish__snapshot_port=ports[1])
    stop = threading.Event()
    results: list[int] = []
    with venue.running():
        venue.open()
        venue.send(order_flow(seed, 300))
        thread = threading.Thread(target=lambda: results.append(publish.run(venue.config, stop)))
        thread.start()
        try:
            publish_at, snapshot_at = (f"tcp://127.0.0.1:{port}" for port in ports)
            with Subscriber(publish_at, snapshot_at, timeout_s=DEADLINE_S) as subscriber:
                assert_books_equal(subscriber, venue.engine())
        finally:
            stop.set()
            thread.join(DEADLINE_S)
    assert results == [0]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(bound.getsockname()[1]) for bound in sockets]
    for bound in sockets:
        bound.close()
    return ports
