"""The publisher's mirror: next to the engine that made the events, and equal to the reference."""

import itertools
import random
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.commands import SYMBOLS, commands, joined, listing, new_order, opening
from harness.flows import LIMITS, order_flow
from reference import depth, published
from touchline.core.engine import Engine
from touchline.core.messages import (
    ACCOUNT_ALL,
    EVENT,
    INSTRUMENT_ALL,
    EntryStatus,
    ExecType,
    Flag,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
    TradingStatus,
)
from touchline.errors import ImpossibleEvent
from touchline.marketdata import BBO, DEPTH, HEADER, RECORDS, Kind
from touchline.marketdata.mirror import Mirror

TOPICS = published.topics(dict(enumerate(SYMBOLS)) | {5: "NEW"})
FIRST_ORDER = 1 << 32


def new_engine() -> Engine:
    return Engine(**LIMITS._asdict())


def new_mirror(**capacities: int) -> Mirror:
    sizes = {
        "instruments_max": LIMITS.instruments_max,
        "orders_max": LIMITS.orders_max,
        "price_blocks_max": LIMITS.price_blocks_max,
    }
    return Mirror(**sizes | capacities)


def levels(mirror: Mirror, number: int, side: Side) -> list[tuple[int, int, int]]:
    rows = np.frombuffer(mirror.levels(number), DEPTH)
    return [
        (int(row["price"]), int(row["qty"]), int(row["orders"]))
        for row in rows[rows["side"] == side]
    ]


def assert_mirrors(mirror: Mirror, engine: Engine) -> None:
    for number in mirror.numbers():
        bbo = np.array([mirror.state(number).bbo], BBO)[0]
        for side, name in ((Side.BUY, "bid"), (Side.SELL, "ask")):
            wanted = [
                (int(v["price"]), int(v["qty"]), int(v["orders"]))
                for v in engine.depth(number, side, 10_000)
            ]
            assert levels(mirror, number, side) == wanted
            best = wanted[0] if wanted else (0, 0, 0)
            assert tuple(bbo[f"{name}_{field}"] for field in ("price", "qty", "orders")) == best


def opened() -> tuple[Engine, Mirror]:
    engine, mirror = new_engine(), new_mirror()
    mirror.apply(engine.submit(opening()))
    mirror.discard()
    return engine, mirror


def run(*rows: dict[str, Any]) -> tuple[Engine, Mirror, NDArray[np.void]]:
    """After these commands; the mirror's messages of them wait."""
    engine, mirror = opened()
    events = engine.submit(commands(list(rows))).copy()
    assert mirror.apply(events) == len(events)
    return engine, mirror, events


def admin_flow(rng: random.Random) -> NDArray[np.void]:
    """What an operator does in between: halts, resumptions, kill switch, mass cancels."""
    halt = rng.choice((TradingStatus.HALTED, TradingStatus.READY_TO_TRADE))
    kill = rng.choice((EntryStatus.BLOCKED, EntryStatus.OPEN))
    mass = {
        "type": MsgType.MASS_CANCEL,
        "instrument": rng.choice((0, 1, INSTRUMENT_ALL)),
        "account": rng.choice((0, 1, ACCOUNT_ALL)),
        "flags": rng.choice((0, Flag.EXPIRE)),
        "time_in_force": rng.choice((0, TimeInForce.DAY)),
    }
    row: dict[str, Any] = rng.choice(
        [
            {"type": MsgType.SECURITY_STATUS, "instrument": rng.randrange(3), "field": halt},
            {"type": MsgType.VENUE_STATUS, "field": kill},
            mass,
            {"type": MsgType.SECURITY_STATUS, "instrument": 0, "field": halt},
        ]
    )
    return commands([row])


def all_events(seed: int, count: int) -> NDArray[np.void]:
    """Orders with an operator's commands between them, and an instrument listed at the end."""
    rng = random.Random(seed)
    engine = new_engine()
    parts = [engine.submit(opening()).copy()]
    for piece in np.array_split(order_flow(seed, count), 40):
        parts.append(engine.submit(piece).copy())
        parts.append(engine.submit(admin_flow(rng)).copy())
        calm = commands(
            [{"type": MsgType.VENUE_STATUS, "field": EntryStatus.OPEN}]
            + [
                {
                    "type": MsgType.SECURITY_STATUS,
                    "instrument": n,
                    "field": TradingStatus.READY_TO_TRADE,
                }
                for n in range(3)
            ]
        )
        parts.append(engine.submit(calm).copy())
    parts.append(engine.submit(commands(listing(5, "NEW", "0.5"))).copy())
    return joined(parts, EVENT)


@pytest.mark.parametrize("longest", [1, 9, 500, 4096])
def test_messages_are_those_of_the_reference_in_any_batches(seed: int, longest: int) -> None:
    rng = random.Random(seed)
    events = all_events(seed, 4000)
    mirror, twin = new_mirror(), depth.Mirror()
    low = 0
    while low < len(events):
        high = min(len(events), low + rng.randint(1, longest))
        assert mirror.apply(events[low:high]) == high - low
        twin.apply(events[low:high])
        assert mirror.messages(TOPICS) == published.messages(twin, TOPICS)
        low = high
        if rng.random() < 0.05:
            assert mirror.heartbeat() == published.heartbeat(twin)
    assert mirror.numbers() == sorted(twin.instruments) == [0, 1, 2, 5]
    for number, book in twin.instruments.items():
        state = mirror.state(number)
        assert mirror.levels(number) == published.levels(book)
        assert list(state.seqs) == [*book.sent, book.statistics.changes]
        assert state.statistics == book.statistics.record()
        assert state.trading_status == book.trading_status
        trade = book.last_trade
        assert state.last_trade == (trade and (*trade[:3], trade[3] & 0xFFFFFFFF, trade[3] >> 32))
    assert (mirror.entry_status, mirror.epoch) == (twin.entry_status, twin.epoch)


def test_after_every_command_the_mirror_is_the_book(seed: int) -> None:
    engine, mirror = opened()
    rows = order_flow(seed, 3000)
    for number in range(len(rows)):
        mirror.apply(engine.submit(rows[number : number + 1]))
        if number % 7 == 0:
            assert_mirrors(mirror, engine)
    assert_mirrors(mirror, engine)


def test_a_book_is_never_crossed_even_in_the_middle_of_a_command(seed: int) -> None:
    events = all_events(seed, 1500)
    mirror = new_mirror()
    for number in range(len(events)):
        mirror.apply(events[number : number + 1])
        for instrument in mirror.numbers():
            bbo = mirror.state(instrument).bbo
            assert not (bbo[2] and bbo[3]) or bbo[2] < bbo[3]


def test_records_nobody_took_keep_their_numbers(seed: int) -> None:
    events = all_events(seed, 1000)
    told, silent = new_mirror(), new_mirror()
    told.apply(events)
    told.messages(TOPICS)
    for low in range(0, len(events), 7):
        silent.apply(events[low : low + 7])
    silent.discard()
    assert silent.messages(TOPICS) == []
    assert [silent.state(n) for n in silent.numbers()] == [told.state(n) for n in told.numbers()]
    assert silent.heartbeat() == told.heartbeat()


def test_the_touch_after_each_event_is_that_of_the_published_records(seed: int) -> None:
    """In batches of any size; an event without a record has changed nothing."""
    events = all_events(seed, 1500)
    followed, published = new_mirror(), new_mirror()
    touches = np.concatenate([followed.follow(part) for part in np.array_split(events, 7)])
    last: dict[int, tuple[int, ...]] = {}
    changes = 0
    for event, touch in zip(events, touches, strict=True):
        published.apply(event.reshape(1))
        number = int(event["instrument"])
        now = (0, 0, 0, 0)
        if number in published.numbers():
            bbo = published.state(number).bbo
            now = (bbo[2], bbo[4], bbo[3], bbo[5])
        found = tuple(int(touch[name]) for name in ("bid_price", "bid_qty", "ask_price", "ask_qty"))
        assert found == now
        assert bool(touch["changed"]) == (now != last.get(number, (0, 0, 0, 0)))
        last[number] = now
        changes += bool(touch["changed"])
    assert changes > 200
    assert followed.messages({}) == []


def test_a_touch_of_an_impossible_event_is_not_told(seed: int) -> None:
    events = all_events(seed, 100)
    mirror = new_mirror()
    mirror.follow(events[:50])
    with pytest.raises(ImpossibleEvent, match="it does not follow the event before it"):
        mirror.follow(events[51:])
    assert mirror.event_seq == events["seq"][49]


def records(mirror: Mirror, kind: Kind) -> list[NDArray[np.void]]:
    """The records of each message of this kind."""
    found = []
    for name, payload in mirror.messages(TOPICS):
        if name.startswith(kind.name.lower().encode()):
            count = int(np.frombuffer(payload, HEADER, 1)["count"][0])
            found.append(np.frombuffer(payload, RECORDS[kind], count, HEADER.itemsize))
    return found


def test_a_message_is_at_most_4096_bytes_and_ends_with_whole_events() -> None:
    engine, mirror = opened()
    placed = engine.submit(commands([new_order(price=100 + n % 50) for n in range(1000)])).copy()
    mirror.apply(placed)
    assert max(len(payload) for _, payload in mirror.messages(TOPICS)) <= 4096
    # Each replace leaves one level and joins another: two records that belong together.
    moves = [
        {"type": MsgType.REPLACE, "order_id": int(row["order_id"]), "price": 200, "qty": 1}
        for row in placed
    ]
    mirror.apply(engine.submit(commands(moves)))
    parts = records(mirror, Kind.DEPTH)
    assert len(parts) > 10
    for before, after in itertools.pairwise(parts):
        assert before["event_seq"][-1] < after["event_seq"][0]


@pytest.mark.parametrize(
    "values",
    [
        {"time_in_force": TimeInForce.IOC},
        {"time_in_force": TimeInForce.FOK},
        {"ord_type": OrdType.MARKET, "price": 0},
        {"qty": 0},
        {"instrument": 7},
    ],
)
def test_an_order_that_does_not_rest_leaves_no_record(values: dict[str, int]) -> None:
    _, mirror, _ = run(new_order(**values))
    assert mirror.messages(TOPICS) == []


def test_a_replace_after_a_partial_fill_moves_what_is_left() -> None:
    engine, mirror, events = run(
        new_order(qty=10, price=100),
        new_order(qty=4, price=100, side=Side.SELL),
        {"type": MsgType.REPLACE, "order_id": FIRST_ORDER, "price": 101, "qty": 12},
        {"type": MsgType.REPLACE, "order_id": FIRST_ORDER, "price": 101, "qty": 9},
    )
    assert events["exec_type"].tolist() == [
        ExecType.NEW, ExecType.NEW, ExecType.TRADE, ExecType.REPLACED, ExecType.REPLACED,
    ]  # fmt: skip
    assert events["flags"][-1] == Flag.PRIORITY_KEPT
    assert levels(mirror, 0, Side.BUY) == [(101, 5, 1)]
    assert_mirrors(mirror, engine)


def test_a_replace_that_trades_rests_with_the_remainder_only() -> None:
    engine, mirror, _ = run(
        new_order(qty=10, price=100),
        new_order(qty=3, price=105, side=Side.SELL),
        {"type": MsgType.REPLACE, "order_id": FIRST_ORDER, "price": 106, "qty": 10},
    )
    assert levels(mirror, 0, Side.BUY) == [(106, 7, 1)]
    assert levels(mirror, 0, Side.SELL) == []
    assert_mirrors(mirror, engine)


def test_a_replace_down_to_what_is_executed_ends_the_order() -> None:
    engine, mirror, _ = run(
        new_order(qty=10, price=100),
        new_order(qty=4, price=100, side=Side.SELL),
        {"type": MsgType.REPLACE, "order_id": FIRST_ORDER, "price": 100, "qty": 4},
    )
    assert levels(mirror, 0, Side.BUY) == []
    assert_mirrors(mirror, engine)


def test_a_mass_cancel_empties_every_book(seed: int) -> None:
    engine, mirror = opened()
    mirror.apply(engine.submit(order_flow(seed, 1000)))
    mass = {
        "type": MsgType.MASS_CANCEL,
        "instrument": INSTRUMENT_ALL,
        "account": ACCOUNT_ALL,
        "flags": Flag.EXPIRE,
    }
    mirror.apply(engine.submit(commands([mass])))
    assert mirror.numbers() == list(range(len(SYMBOLS)))
    for number in mirror.numbers():
        assert mirror.levels(number) == b""
        assert mirror.state(number).bbo[2:] == (0, 0, 0, 0, 0, 0)


def test_a_mirror_takes_as_many_orders_and_prices_as_its_engine_and_as_often() -> None:
    sizes = LIMITS._replace(orders_max=64, price_blocks_max=3)
    engine = Engine(**sizes._asdict())
    mirror = new_mirror(orders_max=64, price_blocks_max=3)
    mirror.apply(engine.submit(opening()))
    rng = random.Random(5)
    for _ in range(3000):
        resting = engine.orders(0, rng.choice(list(Side)))
        row = new_order(price=rng.randint(1, 320), side=rng.choice(list(Side)), qty=3)
        if len(resting) and rng.random() < 0.5:
            kind = rng.choice((MsgType.CANCEL, MsgType.REPLACE))
            row = row | {"type": kind, "order_id": int(rng.choice(resting)["order_id"])}
        mirror.apply(engine.submit(commands([row])))
    assert_mirrors(mirror, engine)


# ── events that cannot be ──────────────────────────────────────────────────────────────────────


def test_a_gap_in_the_events_is_not_accepted() -> None:
    events = new_engine().submit(opening())
    mirror = new_mirror()
    mirror.apply(events[:2])
    with pytest.raises(ImpossibleEvent, match="event 4 is impossible: it does not follow"):
        mirror.apply(events[3:])
    assert mirror.event_seq == 2


def crossing() -> tuple[Mirror, NDArray[np.void]]:
    """Two bids rest and the last order crosses them; the events of it all, not applied yet."""
    engine, mirror = opened()
    rows = [
        new_order(qty=5, price=100),
        new_order(qty=5, price=100),
        new_order(qty=7, price=99, side=Side.SELL),
        {"type": MsgType.CANCEL, "order_id": FIRST_ORDER + 1},
    ]
    return mirror, engine.submit(commands(rows)).copy()


IMPOSSIBLE = [
    (0, {"instrument": 6}, "its instrument is not listed"),
    (0, {"instrument": 60_000}, "its instrument is not listed"),
    (0, {"side": 9}, "its side, price or quantity is none"),
    (0, {"price": 0}, "its side, price or quantity is none"),
    (0, {"price": 1 << 40}, "its side, price or quantity is none"),
    (0, {"qty": 0}, "its side, price or quantity is none"),
    (0, {"order_id": 0}, "beyond the engine's capacity"),
    (0, {"order_id": 1 << 32 | 4096}, "beyond the engine's capacity"),
    (1, {"order_id": FIRST_ORDER}, "its order is there already"),
    (2, {"exec_type": ExecType.CANCELED}, "its order is not in the book"),
    (3, {"exec_type": ExecType.CANCELED}, "another order crosses the book"),
    (3, {"contra_order_id": 77 << 32}, "its order is not in the book"),
    (3, {"contra_order_id": FIRST_ORDER + 1}, "not the oldest at the best price"),
    (3, {"price": 98}, "is not its order's"),
    (3, {"qty": 6}, "is not its order's"),
    (3, {"qty": 0}, "is not its order's"),
    (3, {"flags": 0}, "is not its order's"),
    (3, {"leaves_qty": 3}, "is not its order's"),
    (3, {"order_id": 1 << 33}, "another order crosses the book"),
    (3, {"instrument": 1}, "is not its order's"),
    (5, {"qty": 1}, "is not its order's"),
    (5, {"price": 101}, "is not its order's"),
    (5, {"instrument": 1}, "is not its order's"),
    (5, {"order_id": 1 << 33}, "its order is not in the book"),
    (5, {"exec_type": ExecType.REPLACED, "price": 0}, "its side, price or quantity is none"),
    (
        5,
        {"exec_type": ExecType.REPLACED, "flags": Flag.PRIORITY_KEPT, "leaves_qty": 9},
        "is not its order's",
    ),
    (0, {"exec_type": ExecType.SECURITY_DEFINITION}, "its instrument is listed already"),
    (0, {"exec_type": ExecType.SECURITY_STATUS, "instrument": 6}, "is not listed"),
    (0, {"exec_type": ExecType.SECURITY_STATUS, "qty": 256}, "its status is none"),
    (0, {"exec_type": ExecType.VENUE_STATUS, "qty": 0}, "its status is none"),
]


@pytest.mark.parametrize(("place", "values", "reason"), IMPOSSIBLE)
def test_an_impossible_event_is_named_and_changes_nothing(
    place: int, values: dict[str, int], reason: str
) -> None:
    mirror, events = crossing()
    assert mirror.apply(events[:place]) == place
    mirror.discard()
    before = [(mirror.state(n), mirror.levels(n)) for n in mirror.numbers()]
    bad = events[place : place + 1].copy()
    for name, value in values.items():
        bad[name] = value
    with pytest.raises(ImpossibleEvent, match=reason) as caught:
        mirror.apply(bad)
    assert caught.value.seq == events["seq"][place]
    assert mirror.messages(TOPICS) == []
    assert [(mirror.state(n), mirror.levels(n)) for n in mirror.numbers()] == before
    assert mirror.apply(events[place:]) == len(events) - place


def test_more_blocks_of_prices_than_the_engine_has_are_impossible() -> None:
    engine = new_engine()
    mirror = new_mirror(price_blocks_max=2)
    mirror.apply(engine.submit(opening()))
    with pytest.raises(ImpossibleEvent, match="all blocks of price levels are taken"):
        mirror.apply(engine.submit(commands([new_order(price=p) for p in (10, 110, 210)])))
    assert [price for price, _, _ in levels(mirror, 0, Side.BUY)] == [110, 10]


def test_random_bytes_for_events_end_in_a_named_error(seed: int) -> None:
    """Whatever stands in the shared memory, the mirror stays whole."""
    rng = np.random.default_rng(seed)
    source = all_events(seed, 600)
    for _ in range(300):
        events = source.copy()
        raw = events.view(np.uint8).reshape(len(events), -1)
        row = int(rng.integers(len(events)))
        raw[row, int(rng.integers(8, 64))] ^= np.uint8(1 << int(rng.integers(8)))
        mirror = new_mirror()
        with suppress(ImpossibleEvent):
            mirror.apply(events)
        assert mirror.event_seq >= row


@pytest.mark.parametrize(
    "capacities",
    [
        {"instruments_max": 0},
        {"instruments_max": 65_536},
        {"orders_max": 0},
        {"orders_max": 1 << 27},
        {"price_blocks_max": 0},
        {"price_blocks_max": 1 << 25},
    ],
)
def test_capacities_an_engine_cannot_have_are_refused(capacities: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"engine capacities: \w+ \d+ is outside"):
        new_mirror(**capacities)


def test_something_else_than_events_is_refused() -> None:
    mirror = new_mirror()
    with pytest.raises(ValueError, match="dtype EVENT"):
        mirror.apply(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="contiguous"):
        mirror.apply(np.zeros(4, EVENT)[::2])
    with pytest.raises(KeyError):
        mirror.state(3)
    with pytest.raises(KeyError):
        mirror.levels(3)
