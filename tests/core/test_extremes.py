"""Core and reference agree where positions come to the end of their numbers. Rule 5.7."""

import numpy as np
import pytest

from harness.snapshots import with_net
from reference.engine import Capacities, Reference
from reference.records import Command
from reference.state import NET_MAX, NET_MIN
from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    LIMIT_UNSET,
    QTY_MAX,
    Limit,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)

CAPACITIES = Capacities(1, 2, 8, 4, 2)
MARK = 1_234_567  # lots traded so that the position can be found in a snapshot


def order(account: int, side: Side, qty: int) -> Command:
    return Command(
        type=MsgType.NEW_ORDER,
        account=account,
        side=side,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        price=10,
        qty=qty,
    )


OPENING = (
    Command(type=MsgType.SECURITY_DEFINITION),
    Command(type=MsgType.ACCOUNT, account=0),
    Command(type=MsgType.ACCOUNT, account=1),
    order(0, Side.SELL, MARK),
    order(1, Side.BUY, MARK),
)


def both(engine: Engine, reference: Reference, cmd: Command) -> None:
    expected = [bytes(event) for event in reference.step(cmd)]
    got = engine.submit(np.frombuffer(bytes(cmd), dtype=COMMAND))
    assert [event.tobytes() for event in got] == expected, cmd
    assert engine.state_hash() == reference.state_hash(), cmd


@pytest.mark.parametrize("most", [0, 1 << 40, LIMIT_UNSET - 1, LIMIT_UNSET])
@pytest.mark.parametrize("net", [NET_MAX, NET_MAX - 1, NET_MAX - QTY_MAX, NET_MIN + 1, NET_MIN])
def test_a_position_at_the_end_of_its_numbers_neither_wraps_nor_passes(net: int, most: int) -> None:
    engine, reference = Engine(**CAPACITIES._asdict()), Reference(CAPACITIES)
    for cmd in OPENING:
        both(engine, reference, cmd)
    engine.restore(with_net(engine.snapshot(), 1, MARK, net))
    reference.state.positions[1, 0].net = net
    limit = Command(type=MsgType.LIMIT, account=1, field=Limit.POSITION_MAX, price=most)
    both(engine, reference, limit)
    for mine, side, other in ((1, Side.BUY, Side.SELL), (1, Side.SELL, Side.BUY)):
        for qty in (1, QTY_MAX):
            both(engine, reference, order(0, other, qty))
            both(engine, reference, order(mine, side, qty))
            both(engine, reference, Command(type=MsgType.MASS_CANCEL, account=0))
            both(engine, reference, Command(type=MsgType.MASS_CANCEL, account=1))
    assert NET_MIN <= engine.position(1, 0)[0] <= NET_MAX
