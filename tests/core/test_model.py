"""The core equals the reference on any sequence of commands, in every byte and every state."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.engine import Capacities, Reference
from reference.intents import Intent, play
from reference.ledger import Ledger
from reference.records import Command
from reference.strategies import flows, pools
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, EVENT, Side

# Of what the profile allows the first test takes most; the others need less to find what they seek.
EXAMPLES = settings().max_examples
furthest = settings(max_examples=2 * EXAMPLES)
fewer = settings(max_examples=EXAMPLES // 3)


def engine_of(capacities: Capacities) -> Engine:
    return Engine(**capacities._asdict())


def as_array(commands: list[Command]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.frombuffer(b"".join(map(bytes, commands)), dtype=COMMAND)


def commands_of(intents: list[Intent], capacities: Capacities) -> list[Command]:
    return [cmd for cmd, _ in play(intents, Reference(capacities))]


def shown(events: list[bytes]) -> list[str]:
    """Events as text, for the message of a difference."""
    return [str(np.frombuffer(event, dtype=EVENT)[0]) for event in events]


def places(reference: Reference) -> Iterator[tuple[int, int]]:
    for account in range(reference.capacities.accounts_max):
        for instrument in range(reference.capacities.instruments_max):
            yield account, instrument


def assert_same_books(engine: Engine, reference: Reference) -> None:
    for instrument in reference.state.instruments:
        for side in Side:
            orders = [
                tuple(int(order[name]) for name in ("order_id", "price", "leaves_qty", "order_qty",
                                                    "account", "instrument", "time_in_force"))
                for order in engine.orders(instrument, side)
            ]  # fmt: skip
            assert orders == [
                (order.order_id, order.price, order.leaves_qty, order.order_qty, order.account,
                 order.instrument, order.time_in_force)
                for order in reference.orders(instrument, side)
            ]  # fmt: skip
            levels = reference.depth(instrument, side)
            for most in (1, 3, 1000):
                assert levels[:most] == [
                    (int(level["price"]), int(level["qty"]), int(level["orders"]))
                    for level in engine.depth(instrument, side, most)
                ]
            best = engine.best_bid if side == Side.BUY else engine.best_ask
            assert best(instrument) == (levels[0][0] if levels else 0)
    for account, instrument in places(reference):
        assert engine.position(account, instrument) == reference.position(account, instrument)


@furthest
@given(capacities=pools, intents=flows)
def test_core_equals_reference_command_by_command(
    capacities: Capacities, intents: list[Intent]
) -> None:
    reference, engine = Reference(capacities), engine_of(capacities)
    for cmd, expected in play(intents, reference):
        got = [event.tobytes() for event in engine.submit(as_array([cmd]))]
        assert got == expected, (cmd, shown(got), shown(expected))
        assert engine.state_hash() == reference.state_hash(), cmd
    assert engine.event_seq == reference.state.event_seq
    assert engine.orders_open == len(reference.state.open_orders)
    assert_same_books(engine, reference)


@fewer
@given(capacities=pools, intents=flows, batch=st.integers(1, 50))
def test_a_batch_of_any_size_equals_one_by_one(
    capacities: Capacities, intents: list[Intent], batch: int
) -> None:
    commands = commands_of(intents, capacities)
    one_by_one, in_batches = engine_of(capacities), engine_of(capacities)
    singly = b"".join(one_by_one.submit(as_array([cmd])).tobytes() for cmd in commands)
    batched = b"".join(
        in_batches.submit(as_array(commands[start : start + batch])).tobytes()
        for start in range(0, len(commands), batch)
    )
    assert batched == singly
    assert in_batches.state_hash() == one_by_one.state_hash()


@fewer
@given(
    capacities=pools,
    more=st.tuples(*[st.sampled_from((0, 1, 2, 9, 70))] * 5),
    intents=flows,
    every=st.integers(1, 60),
)
def test_an_engine_that_grows_between_commands_equals_the_reference(
    capacities: Capacities, more: tuple[int, ...], intents: list[Intent], every: int
) -> None:
    reference, engine = Reference(capacities), engine_of(capacities)
    for count, (cmd, expected) in enumerate(play(intents, reference), start=1):
        got = [event.tobytes() for event in engine.submit(as_array([cmd]))]
        assert got == expected, (cmd, shown(got), shown(expected))
        if count % every == 0 and count // every <= 3:
            larger = Capacities(*map(sum, zip(reference.capacities, more, strict=True)))
            reference.capacities = larger
            engine.grow(**larger._asdict())
            assert engine.capacities._asdict() == larger._asdict()
        assert engine.state_hash() == reference.state_hash(), cmd
    assert engine.event_seq == reference.state.event_seq
    assert_same_books(engine, reference)


@fewer
@given(capacities=pools, before=flows, after=flows, elsewhere=flows)
def test_a_restored_snapshot_continues_identically(
    capacities: Capacities, before: list[Intent], after: list[Intent], elsewhere: list[Intent]
) -> None:
    commands = commands_of(before + after, capacities)
    halfway = len(commands_of(before, capacities))
    engine, restored = engine_of(capacities), engine_of(capacities)
    engine.submit(as_array(commands[:halfway]))
    snapshot = engine.snapshot()
    restored.submit(as_array(commands_of(elsewhere, capacities)))
    restored.restore(snapshot)
    assert restored.state_hash() == engine.state_hash()
    rest = as_array(commands[halfway:])
    assert restored.submit(rest).tobytes() == engine.submit(rest).tobytes()
    assert restored.state_hash() == engine.state_hash()


@fewer
@given(capacities=pools, intents=flows)
def test_events_alone_keep_every_promise(capacities: Capacities, intents: list[Intent]) -> None:
    engine, ledger = engine_of(capacities), Ledger()
    for cmd in commands_of(intents, capacities):
        ledger.read(engine.submit(as_array([cmd])))
    for instrument, sides in ledger.queues().items():
        for side, queue in sides.items():
            kept = [(order_id, entry.price, entry.leaves_qty) for order_id, entry in queue]
            held = engine.orders(instrument, side)
            assert kept == [tuple(order)[:3] for order in held.tolist()]
    assert len(ledger.open) == engine.orders_open
    for (account, instrument), net in ledger.net.items():
        assert engine.position(account, instrument)[0] == net


def test_a_snapshot_of_other_limits_or_bytes_is_refused_and_harms_nothing() -> None:
    capacities = Capacities(orders_max=8, positions_max=4, price_blocks_max=4)
    engine = engine_of(capacities)
    engine.submit(as_array(commands_of([], capacities)))
    snapshot, state_hash = engine.snapshot(), engine.state_hash()
    other = engine_of(capacities._replace(orders_max=9)).snapshot()
    for data in (b"", snapshot[:-1], snapshot + b"\0", bytes(len(snapshot)), other):
        with pytest.raises(ValueError, match="snapshot"):
            engine.restore(data)
        assert engine.state_hash() == state_hash
