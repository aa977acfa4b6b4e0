"""The other shapes of flow: the same bytes everywhere, and each what its name says."""

import numpy as np
import pytest

from touchline.core.engine import Engine
from touchline.core.messages import ExecType, MsgType
from touchline.data import flow, flow_shapes

SMALL = {
    "wide": lambda seed: flow_shapes.wide(2_000, seed),
    "mixed": lambda seed: flow_shapes.mixed(1_000, seed),
    "deep": lambda seed: flow_shapes.deep(1_500, seed, resting=1_000),
    "burst": lambda seed: flow_shapes.burst(2_000, seed, resting=500),
    "cancel-storm": lambda seed: flow_shapes.cancel_storm(2_000, seed),
}
SHA256 = {
    "mixed": "2e238f9f2f515e87b4b25973e4d4fa56b629242ab294f8fbf3f90b36ea29dffc",
    "wide": "5fe5d53da300f9f7756607a2fafe5c4887c9f9b92b656ddb9ce37de2755bdb9e",
    "deep": "893cf6e662ecb670b6dd477bc44e79a440a5f7f7580c677f94110785b1b2c966",
    "burst": "66d01881f427f28a79481339b882d59a84ec184f7aced265efe476291be2b494",
    "cancel-storm": "a0d231385b992da9a9617f697635278b3af33f8ef4ad5929832192edd3c12f6e",
}


def events_of(generated: flow.Flow) -> flow.Records:
    """What the engine says to the timed part."""
    commands = flow.resolve(generated, Engine(price_blocks_max=1 << 16))
    engine = Engine(price_blocks_max=1 << 16)
    engine.submit(generated.setup)
    engine.submit(commands[: generated.warm])
    return engine.submit(commands[generated.warm :]).copy()


@pytest.mark.parametrize("name", flow_shapes.SHAPES)
def test_a_shape_is_the_same_bytes_on_every_machine(name: str) -> None:
    assert SMALL[name](101).sha256() == SHA256[name]
    assert SMALL[name](102).sha256() != SHA256[name]


@pytest.mark.parametrize("name", flow_shapes.SHAPES)
def test_a_later_command_means_an_order_of_the_same_account(name: str, seed: int) -> None:
    shape = SMALL[name](seed)
    later = np.flatnonzero(shape.refs >= 0)
    meant = shape.refs[later]
    assert (meant < later).all()
    assert (shape.commands["type"][meant] == MsgType.NEW_ORDER).all()
    assert (shape.commands["account"][meant] == shape.commands["account"][later]).all()
    assert len(np.unique(shape.commands["cl_ord_id"])) == len(shape.commands)
    assert not (events_of(shape)["exec_type"] == ExecType.REJECTED).any()


def test_a_wide_flow_spreads_over_a_million_ticks(seed: int) -> None:
    commands = flow_shapes.wide(20_000, seed).commands
    prices = commands["price"][commands["type"] == MsgType.NEW_ORDER]
    assert prices.max() - prices.min() > 900_000
    assert len(np.unique(prices)) > 15_000


def test_a_deep_book_keeps_its_depth(seed: int) -> None:
    shape = flow_shapes.deep(3_000, seed, resting=1_000)
    assert shape.warm == 1_000
    engine = Engine(price_blocks_max=1 << 16)
    commands = flow.resolve(shape, Engine(price_blocks_max=1 << 16))
    engine.submit(shape.setup)
    engine.submit(commands)
    resting = sum(len(engine.orders(0, side)) for side in (ord("1"), ord("2")))
    assert 800 < resting < 1_000


def test_a_burst_is_mostly_trades_of_its_aggressive_orders(seed: int) -> None:
    events = events_of(flow_shapes.burst(4_000, seed, resting=1_000))
    assert (events["exec_type"] == ExecType.TRADE).sum() > 1_500


def test_a_storm_cancels_every_order_once_and_some_twice(seed: int) -> None:
    events = events_of(flow_shapes.cancel_storm(2_000, seed))
    kinds, counts = np.unique(events["exec_type"], return_counts=True)
    assert dict(zip(kinds.tolist(), counts.tolist(), strict=True)) == {
        ExecType.CANCELED: 2_000,
        ExecType.CANCEL_REJECTED: len(events) - 2_000,
    }
    assert 10 < len(events) - 2_000 < 80
