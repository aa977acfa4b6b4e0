"""Synthetic flow: the same bytes everywhere, the shape it promises, and ids that resolve."""

from pathlib import Path

import numpy as np
import pytest

from reference.engine import Reference
from reference.records import Command
from reference.state import Capacities
from touchline.core.engine import Engine
from touchline.core.messages import EVENT, ExecType, MsgType, OrdType, Side, TimeInForce
from touchline.data import flow

SHA256 = {
    "static": "d816b158480fc0ad5a371afe2d396ee554a4ba0a8761d8504e5ba4253f9ed791",
    "normal": "d7d5203e750edd53779d99dfe5bab3a204e0bd8bcf31fad0f193845a39ce5f9b",
    "swing-25": "e26c5555fe82d8f61a30347fad7d8779ea153c650ac21369e11e320fb653da0e",
    "swing-40": "e5bd62a90b5014e71a7061209e66e1100fe6da1ee2660c829686453835e12948",
    "flash-crash": "290bca20c96d1e56ee5f5ec25cfdbdac17efe216fc413b7522e5751f0b744ce9",
}
SHA256_OF_MANY_SYMBOLS = "2b46ea7c333407dfdb175ed6b8d837f44cae03298d10e7826da3c5d8de76de2d"


class ReferenceEngine:
    """The reference model behind the engine's `submit`."""

    def __init__(self, engine: Engine) -> None:
        self.reference = Reference(Capacities(*engine.capacities))

    def submit(self, commands: flow.Records) -> flow.Records:
        events = b"".join(
            bytes(event)
            for command in commands
            for event in self.reference.step(Command.of(command.tobytes()))
        )
        return np.frombuffer(events, EVENT)


@pytest.mark.parametrize("name", flow.SWINGS)
def test_a_flow_is_the_same_bytes_on_every_machine(name: str) -> None:
    assert flow.generate(name, 2_000, 101).sha256() == SHA256[name]


def test_a_flow_of_many_symbols_is_the_same_bytes_on_every_machine() -> None:
    many = flow.generate("normal", 2_000, 101, instruments=50, limits=True)
    assert many.sha256() == SHA256_OF_MANY_SYMBOLS


def test_another_seed_is_another_flow() -> None:
    assert flow.generate("normal", 2_000, 102).sha256() != SHA256["normal"]


def test_a_flow_has_the_shape_it_promises(seed: int) -> None:
    commands = flow.generate("static", 20_000, seed).commands
    entered = commands[commands["type"] == MsgType.NEW_ORDER]
    replaced = commands[commands["type"] == MsgType.REPLACE]
    canceled = commands[commands["type"] == MsgType.CANCEL]
    ioc = entered["time_in_force"] == TimeInForce.IOC
    rests = int(20_000 - ioc.sum())
    assert len(entered) == 20_000
    assert set(entered["ord_type"].tolist()) == {OrdType.LIMIT}
    assert ioc.mean() == pytest.approx(0.15, abs=0.02)
    assert len(replaced) / rests == pytest.approx(0.20 * (1 + 0.95 * 0.02), abs=0.02)
    assert len(canceled) / rests == pytest.approx(0.95 * 1.02, abs=0.02)
    assert (entered["side"] == Side.BUY).sum() == 10_000
    assert entered["qty"].min() == 1
    assert entered["qty"].max() == 100
    away = np.where(entered["side"] == Side.BUY, 1, -1) * (flow.START_TICKS - entered["price"])
    assert away.min() >= 1
    assert np.median(away) == flow.DISTANCE_HUMP_TICKS
    assert away.max() > 50


@pytest.mark.parametrize("name", flow.SWINGS)
def test_the_mid_price_falls_by_the_swing(name: str, seed: int) -> None:
    prices = flow.generate(name, 20_000, seed).commands
    prices = prices[prices["type"] == MsgType.NEW_ORDER]["price"].astype(float)
    fall = 1 - np.quantile(prices, 0.0005) / np.quantile(prices, 0.9995)
    assert fall == pytest.approx(flow.SWINGS[name], abs=0.06)


def test_a_cancel_means_an_earlier_order_of_the_same_account(seed: int) -> None:
    generated = flow.generate("normal", 5_000, seed, instruments=7)
    commands, refs = generated.commands, generated.refs
    later = np.flatnonzero(refs >= 0)
    assert (refs[later] < later).all()
    assert (commands["type"][refs[later]] == MsgType.NEW_ORDER).all()
    assert (commands["account"][refs[later]] == commands["account"][later]).all()
    assert (commands["type"][refs < 0] == MsgType.NEW_ORDER).all()
    assert (np.diff(commands["ts_ns"]) >= 0).all()
    assert len(np.unique(commands["cl_ord_id"])) == len(commands)


def test_instruments_are_drawn_by_zipfs_law(seed: int) -> None:
    commands = flow.generate("normal", 50_000, seed, instruments=100).commands
    counts = np.bincount(commands["instrument"][commands["type"] == MsgType.NEW_ORDER])
    harmonic = float(np.sum(1 / np.arange(1, 101)))
    assert counts[0] / 50_000 == pytest.approx(1 / harmonic, rel=0.1)
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.3)


def test_an_unknown_flow_and_an_empty_one_are_refused() -> None:
    with pytest.raises(KeyError, match="calm"):
        flow.generate("calm", 10, 1)
    with pytest.raises(ValueError, match="at least one"):
        flow.generate("normal", 0, 1)


def test_the_smallest_flow_is_one_order() -> None:
    assert (flow.generate("normal", 1, 1).commands["type"] == MsgType.NEW_ORDER).sum() == 1


@pytest.mark.parametrize("limits", [False, True])
def test_resolved_ids_find_their_orders(limits: bool, seed: int) -> None:
    generated = flow.generate("normal", 3_000, seed, limits=limits)
    commands = flow.resolve(generated, Engine())
    engine = Engine()
    assert not (engine.submit(generated.setup)["exec_type"] == ExecType.REJECTED).any()
    events = engine.submit(commands)
    found = (events["exec_type"] == ExecType.CANCELED) & (events["cl_ord_id"] > 0)
    canceled = set(commands["cl_ord_id"][commands["type"] == MsgType.CANCEL].tolist())
    answered = [int(number) in canceled for number in events["cl_ord_id"][found]]
    assert not (events["exec_type"] == ExecType.REJECTED).any()
    assert sum(answered) > 0.9 * len(canceled)
    # Buys follow the first half of a walk and sells the second: where it rises they need not meet,
    # but for orders far from its price.
    entered = generated.commands[generated.commands["type"] == MsgType.NEW_ORDER]
    buys, sells = (entered["price"][entered["side"] == side] for side in Side)
    traded = (events["exec_type"] == ExecType.TRADE).any()
    assert traded or buys.max() - sells.min() < 120


@pytest.mark.parametrize("name", sorted(flow.SWINGS.keys() - {"static"}))
def test_a_flow_trades(name: str) -> None:
    generated = flow.generate(name, 3_000, 1)
    engine = Engine()
    engine.submit(generated.setup)
    events = engine.submit(flow.resolve(generated, Engine()))
    assert (events["exec_type"] == ExecType.TRADE).sum() > 100


@pytest.mark.parametrize("name", ["static", "flash-crash"])
def test_core_and_reference_agree_on_a_flow(name: str, seed: int) -> None:
    generated = flow.generate(name, 400, seed, instruments=3, limits=True)
    commands = flow.resolve(generated, Engine())
    engine = Engine()
    model = ReferenceEngine(engine)
    assert flow.expect(generated.setup, commands, engine, batch=64) == flow.expect(
        generated.setup, commands, model
    )
    assert (flow.resolve(generated, ReferenceEngine(engine)) == commands).all()


def test_the_fold_depends_on_every_byte_and_on_order() -> None:
    events = np.zeros(3, EVENT)
    events["seq"] = [1, 2, 3]
    sums = {flow.fold(events)}
    for byte in range(events.nbytes):
        changed = events.copy()
        changed.view(np.uint8)[byte] ^= 1
        sums.add(flow.fold(changed))
    assert len(sums) == 1 + events.nbytes
    assert flow.fold(events[:0]) == 0


def test_a_flow_file_holds_counts_records_and_what_to_expect(tmp_path: Path) -> None:
    generated = flow.generate("static", 50, 1)
    engine = Engine()
    commands = flow.resolve(generated, Engine())
    expected = flow.expect(generated.setup, commands, engine)
    path = tmp_path / "static.flow"
    flow.write_file(path, generated, commands, expected, engine.capacities, engine.state_hash())
    words = np.frombuffer(path.read_bytes(), "<u8")
    assert words[:10].tolist() == [
        flow.FILE_MAGIC,
        len(generated.setup),
        len(commands),
        *engine.capacities,
        0,
        0,
    ]
    assert words[-3:].tolist() == [expected.events, expected.event_hash, engine.state_hash()]
    assert words[10:-3].tobytes() == generated.setup.tobytes() + commands.tobytes()
