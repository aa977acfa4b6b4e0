"""Flows of commands for hypothesis: plausible trading with few prices, and anything at all.

They are lists of intents (tests/reference/intents.py), which are settled when a flow is played.
"""

from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st

from reference.engine import Capacities
from reference.intents import LOOSEST, Aim, Intent, Pin
from reference.records import COMMAND_BYTES, Command
from reference.state import LIMITED, STOPS, TOUCHES
from touchline.core.messages import (
    ACCOUNT_ALL,
    BLOCK_LEVELS,
    INSTRUMENT_ALL,
    LIMIT_UNSET,
    PRICE_MAX,
    QTY_MAX,
    Allocation,
    ContingencyType,
    EntryStatus,
    Flag,
    Limit,
    MsgType,
    OrdType,
    SelfTrade,
    Side,
    TermsFlag,
    TimeInForce,
    TradingStatus,
)

WIDTHS = {"seq": "u64", "ts_ns": "i64", "order_id": "u64", "cl_ord_id": "u64", "price": "i64",
          "qty": "i64", "account": "u32", "checksum": "u32", "instrument": "u16",
          "ord_type": "u8", "time_in_force": "u8", "type": "u8", "side": "u8", "field": "u8",
          "flags": "u8"}  # fmt: skip
# Where blocks of levels begin and end, and the branches of a tree over them that is laid around the
# block of the first price, which is mostly one of NEAR: so many blocks above it.
NEAR = (60, 68)
BRANCHES = (32, 2_016, 128_992, 8_255_456)
EDGE_PRICES = (
    *(1, 2, 31, 32, 1 << 24, 1 << 29, PRICE_MAX - 1, PRICE_MAX),
    *(BLOCK_LEVELS * (price // BLOCK_LEVELS + away) - before
      for price in NEAR for away in BRANCHES for before in (0, 1)),
)  # fmt: skip
T = TypeVar("T")
ROUND_LIMITS = (0, 1, 5, 20, 100, 6400, 64000, PRICE_MAX, QTY_MAX, LIMIT_UNSET - 1, LIMIT_UNSET)


def of_width(width: str) -> st.SearchStrategy[int]:
    bits = int(width[1:])
    if width[0] == "u":
        return st.integers(0, (1 << bits) - 1)
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


def weighted(*choices: tuple[int, st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """One of them, as often as its weight says; `one_of` would flatten what is nested in it."""
    kinds = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.sampled_from(kinds).flatmap(lambda strategy: strategy)


instruments = st.sampled_from((0, 0, 0, 1))
accounts = weighted((9, st.sampled_from((0, 0, 1, 2))), (1, st.integers(3, 40)))
sides = st.sampled_from(Side)
times_in_force = st.sampled_from((TimeInForce.DAY, TimeInForce.DAY, *TimeInForce))
near_prices = st.integers(*NEAR)
prices = weighted((12, near_prices), (1, st.sampled_from(EDGE_PRICES)))
qtys = weighted((8, st.integers(1, 12)), (1, st.sampled_from((1, 100, QTY_MAX))))
aims = st.builds(
    Aim,
    pick=st.integers(0, 1000),
    of_all=st.sampled_from([False] * 6 + [True]),
    by_stranger=st.sampled_from([False] * 6 + [True]),
    change=st.none()
    | st.tuples(st.sampled_from((0, 0, 0, 1, -1)), st.sampled_from((0, 0, -1, -2, -5, 1, 3))),
)

limit_orders, market_orders = (
    st.builds(
        Command,
        type=st.just(MsgType.NEW_ORDER),
        instrument=instruments,
        account=accounts,
        side=sides,
        ord_type=st.just(ord_type),
        time_in_force=times_in_force,
        price=price,
        qty=qtys,
    )
    for ord_type, price in ((OrdType.LIMIT, prices), (OrdType.MARKET, st.just(0)))
)
# A special order's terms: mostly such as go together, near where the flow trades.
stop_prices = weighted((12, near_prices), (1, st.sampled_from((0, 1, PRICE_MAX, PRICE_MAX + 1))))
displays = st.sampled_from((0, 1, 1, 2, 3, 5, 12, 100, QTY_MAX))


def special_of(
    ord_type: OrdType, flags: int, price: int, stop_price: int, display_qty: int, base: Command
) -> Command:
    waits = ord_type in (*STOPS, *TOUCHES)
    return replace(
        base,
        ord_type=ord_type,
        flags=flags | Flag.SPECIAL,
        price=price if ord_type in LIMITED else 0,
        order_id=(stop_price if waits else 0) | display_qty << 32,
    )


special_orders = st.builds(
    special_of,
    ord_type=st.sampled_from((*[OrdType.LIMIT] * 5, *OrdType)),
    flags=st.sampled_from(
        (
            0,
            0,
            0,
            Flag.HIDDEN,
            Flag.HIDDEN,
            Flag.POST_ONLY,
            Flag.POST_ONLY | Flag.SLIDE,
            Flag.POST_ONLY | Flag.HIDDEN,
            Flag.SLIDE,
            127,
        )
    ),
    price=prices,
    stop_price=stop_prices,
    display_qty=weighted((1, st.just(0)), (1, displays)),
    base=st.builds(
        Command,
        type=st.just(MsgType.NEW_ORDER),
        instrument=instruments,
        account=accounts,
        side=sides,
        time_in_force=st.sampled_from((*[TimeInForce.DAY] * 4, *TimeInForce)),
        qty=qtys,
    ),
)
# What goes before such an order: mostly what goes with it, soon over.
more_terms = st.builds(
    Command,
    type=st.just(MsgType.TERMS),
    order_id=st.sampled_from((0, 0, 0, 1, 3, 12, 1 << 32, 3 << 32, 300 << 32, 1 << 63)),
    price=st.sampled_from((0, 0, 1, 5, 20, 60, -100)),
    flags=st.sampled_from((0, 0, TermsFlag.ALL_OR_NONE, TermsFlag.ALL_OR_NONE, 2, 4)),
    cl_ord_id=st.sampled_from([0] * 9 + [7]),
)
# Links with the lane's last linked order: -1, which is settled when the flow is played.
links = st.builds(
    Command,
    type=st.just(MsgType.TERMS),
    field=st.sampled_from((*ContingencyType, *ContingencyType, 9)),
    qty=st.sampled_from((0, 0, -1, -1, -1, 1)),
    order_id=st.sampled_from((0, 0, 0, 1, 2 << 32)),
)


def with_terms(order: Command, terms: Command, field: int, plain: bool) -> Intent:
    if terms.price:
        order = replace(order, time_in_force=TimeInForce.GTD)
    if plain:
        order = replace(order, ord_type=OrdType.LIMIT, order_id=0, flags=Flag.SPECIAL)
    return Intent(replace(order, field=field), terms=terms)


orders_after_terms = st.builds(
    with_terms, special_orders, more_terms, st.sampled_from((1, 1, 1, 1, 0, 2)), st.booleans()
)
linked_orders = st.builds(with_terms, special_orders, links, st.just(1), st.booleans())
new_orders = weighted((8, limit_orders), (2, market_orders), (6, special_orders))
cancels = st.builds(Command, type=st.just(MsgType.CANCEL), account=accounts)
replaces = st.builds(
    Command, type=st.just(MsgType.REPLACE), account=accounts, price=prices, qty=qtys
)
mass_cancels = st.builds(
    Command,
    type=st.just(MsgType.MASS_CANCEL),
    instrument=st.sampled_from((0, 1, INSTRUMENT_ALL, INSTRUMENT_ALL)),
    account=st.sampled_from((0, 1, 2, ACCOUNT_ALL, ACCOUNT_ALL)),
    side=st.sampled_from((0, 0, *Side)),
    time_in_force=st.sampled_from((0, 0, *TimeInForce)),
    flags=st.sampled_from((0, Flag.EXPIRE, 255)),
)
# Where flows trade a limit that bites is near 64 ticks and a dozen lots; most are loose.
USUAL_LIMITS = {
    Limit.PRICE_MIN: (1, 1, 1, 61, 63),
    Limit.PRICE_MAX: (PRICE_MAX, PRICE_MAX, 67, 65, 4096),
    Limit.QTY_MAX: (QTY_MAX, QTY_MAX, 100, 10),
    Limit.PRICE_COLLAR: (LIMIT_UNSET, LIMIT_UNSET, 3, 5, 0),
    Limit.REFERENCE_PRICE: (64, 64, 62, 65, 66, 0),
    Limit.ORDER_QTY_MAX: (LIMIT_UNSET, LIMIT_UNSET, 4, 10),
    Limit.ORDER_VALUE_MAX: (LIMIT_UNSET, 640, 1000),
    Limit.POSITION_MAX: (LIMIT_UNSET, LIMIT_UNSET, 5, 20, 40),
}
usual_limits, any_limits = (
    st.builds(
        lambda at, name_and_value: replace(at, field=name_and_value[0], price=name_and_value[1]),
        st.builds(Command, type=st.just(MsgType.LIMIT), instrument=instruments, account=accounts),
        names_and_values,
    )
    for names_and_values in (
        st.sampled_from([(name, value) for name in Limit for value in USUAL_LIMITS[name]]),
        st.tuples(st.sampled_from(Limit), st.sampled_from(ROUND_LIMITS)),
    )
)
limits_set = weighted((6, usual_limits), (1, any_limits))
# Many more that open than close, so that a flow does not stand still for long.
statuses = st.builds(
    lambda cmd, type_and_status: replace(cmd, type=type_and_status[0], field=type_and_status[1]),
    st.builds(Command, instrument=instruments, account=accounts),
    st.sampled_from(
        [
            (MsgType.SECURITY_STATUS, TradingStatus.HALTED),
            *[(MsgType.SECURITY_STATUS, TradingStatus.READY_TO_TRADE)] * 3,
            (MsgType.ACCOUNT_STATUS, EntryStatus.BLOCKED),
            *[(MsgType.ACCOUNT_STATUS, EntryStatus.OPEN)] * 3,
            (MsgType.VENUE_STATUS, EntryStatus.BLOCKED),
            *[(MsgType.VENUE_STATUS, EntryStatus.OPEN)] * 6,
        ]
    ),
)
self_trades = st.builds(
    Command,
    type=st.just(MsgType.SELF_TRADE),
    account=accounts,
    field=weighted((12, st.sampled_from(SelfTrade)), (1, st.integers(0, 255))),
    price=weighted((12, st.sampled_from((0, 0, 1, 2))), (1, of_width("i64"))),
)
phases = st.builds(
    Command,
    type=st.just(MsgType.SECURITY_STATUS),
    instrument=instruments,
    field=st.sampled_from((*[TradingStatus.READY_TO_TRADE] * 3, *TradingStatus)),
    order_id=st.integers(0, (1 << 64) - 1),
    price=st.sampled_from((0, 0, 0, 0, 20, 90, -1)),
    qty=st.sampled_from((0, 0, 0, 10, 100, -1, (1 << 63) - 1)),
)
allocations = st.builds(
    lambda kind, place, cmd: replace(cmd, field=kind, side=place),
    weighted((12, st.sampled_from(Allocation)), (1, st.integers(0, 255))),
    st.sampled_from((0, 0, 0, 1, 1, 2, 3, 4, 5, 6)),
    st.builds(
        Command,
        type=st.just(MsgType.ALLOCATION),
        instrument=instruments,
        account=accounts,
        price=weighted((12, st.sampled_from((0, 0, 1, 2))), (1, of_width("i64"))),
        qty=weighted((12, st.sampled_from((0, 1, 2, 40, 100))), (1, of_width("i64"))),
    ),
)
definitions = st.one_of(
    st.builds(Command, type=st.just(MsgType.SECURITY_DEFINITION), instrument=st.integers(0, 3)),
    st.builds(Command, type=st.just(MsgType.ACCOUNT), account=st.integers(0, 4)),
)
questions = st.builds(
    Command,
    type=st.sampled_from((MsgType.CHECKPOINT, MsgType.TEXT, MsgType.CLOCK, MsgType.EXPIRE)),
    price=st.integers(-(1 << 63), (1 << 63) - 1),
)
trespasses = st.builds(
    Command,
    type=st.just(MsgType.TRESPASS),
    cl_ord_id=st.sampled_from((1, 1 << 32 | 1, 2 << 32 | 7, (1 << 64) - 1)),
    account=accounts,
    instrument=instruments,
    ord_type=st.sampled_from(MsgType),
    side=st.integers(0, 3),
    field=st.integers(29, 34),
)
garbage = st.binary(min_size=COMMAND_BYTES.size, max_size=COMMAND_BYTES.size).map(Command.of)

entered = st.builds(Intent, cmd=new_orders)
changed = st.builds(Intent, cmd=weighted((1, cancels), (2, replaces)), aim=aims)
pins = st.builds(
    Pin,
    limit=st.sampled_from(list(LOOSEST)),
    price_of=st.integers(0, 3),
    off=st.sampled_from((-1, 0, 1)),
    released=st.sampled_from((True, True, False)),
)
at_a_limit = weighted(
    (2, st.builds(Intent, cmd=new_orders, pin=pins)),
    (1, st.builds(Intent, cmd=replaces, aim=aims, pin=pins)),
)
bursts = st.builds(
    Intent,
    cmd=limit_orders,
    times=st.integers(2, 40),
    step=st.sampled_from((0, 0, 1, -1, 7, 64, 4096)),
)
administration = st.builds(
    Intent,
    cmd=weighted(
        (6, limits_set),
        (3, statuses),
        (2, self_trades),
        (1, allocations),
        (1, mass_cancels),
        (1, definitions),
        (1, questions),
        (1, trespasses),
    ),
)
well_formed = st.one_of(
    limit_orders, market_orders, replaces, cancels, mass_cancels, limits_set, statuses, phases,
    definitions
)  # fmt: skip
overwritten = st.builds(
    Intent,
    cmd=well_formed,
    aim=aims,
    overwrite=st.sampled_from(sorted(WIDTHS)).flatmap(
        lambda name: st.tuples(st.just(name), of_width(WIDTHS[name]))
    ),
)
intents = weighted(
    (14, entered),
    (4, orders_after_terms),
    (4, linked_orders),
    (8, changed),
    (6, at_a_limit),
    (1, bursts),
    (2, st.builds(Intent, cmd=phases)),
    (4, administration),
    (2, overwritten),
    (1, st.builds(Intent, cmd=garbage)),
)

opening = [
    *[Intent(Command(type=MsgType.SECURITY_DEFINITION, instrument=index)) for index in range(2)],
    *[Intent(Command(type=MsgType.ACCOUNT, account=index)) for index in range(32)],
]
# Hypothesis draws some five of a list: lists of lists make flows long, and still shrink to nothing.
flows = st.builds(
    lambda opened, limits, parts: [
        *(opening if opened else []),
        *limits,
        *[intent for part in parts for intent in part],
    ],
    st.sampled_from([True] * 12 + [False]),
    st.lists(st.builds(Intent, cmd=weighted((4, usual_limits), (1, allocations))), max_size=20),
    st.lists(st.lists(intents, max_size=30), min_size=8, max_size=20),
)
roomy_pools = st.builds(
    Capacities,
    instruments_max=st.integers(2, 3),
    accounts_max=st.sampled_from((3, 5, 41)),
    orders_max=st.sampled_from((64, 1024)),
    positions_max=st.sampled_from((16, 100)),
    price_blocks_max=st.sampled_from((64, 1024)),
)
tight_pools = st.builds(
    Capacities,
    instruments_max=st.sampled_from((2, 2, 2, 1)),
    accounts_max=st.sampled_from((3, 3, 3, 1)),
    orders_max=st.sampled_from((8, 64, 3, 2, 1)),
    positions_max=st.sampled_from((4, 16, 3, 2, 1)),
    price_blocks_max=st.sampled_from((4, 64, 3, 2, 1)),
)
pools = weighted((2, roomy_pools), (1, tight_pools))
