"""A market maker compiled by numba: every step of its loop is a C call, no Python object is made.

It keeps a bid and an offer around the middle of the touch while a flow of orders goes by, replacing
both when the middle moves. Without numba the same lines run in the interpreter, slowly.
"""

import numpy as np

from touchline import COMMAND, Engine, ExecType, MsgType, OrdType, Side, TimeInForce
from touchline.core.pointers import function

try:
    from numba import njit
except ImportError:

    def njit(compiled):
        return compiled


step, best = function("tl_engine_step"), function("tl_engine_best")
BUY, SELL, TRADE = int(Side.BUY), int(Side.SELL), int(ExecType.TRADE)
NEXT = 2  # the word of the sink that says where the next event goes


@njit
def traded_of(account, events, count):
    """Lots that an account bought and sold in the first `count` events, as taker or as maker."""
    bought, sold = 0, 0
    for i in range(count):
        event = events[i]
        if event["exec_type"] != TRADE:
            continue
        qty = int(event["qty"])
        buys = event["side"] == BUY
        if event["account"] == account:
            bought, sold = (bought + qty, sold) if buys else (bought, sold + qty)
        if event["contra_account"] == account:
            bought, sold = (bought, sold + qty) if buys else (bought + qty, sold)
    return bought, sold


@njit
def quote(engine, sink, sink_at, events, flow_at, count, quotes, quotes_at, half_spread):
    """Run `count` commands and move the two quotes after each; lots bought and sold by them."""
    account = quotes[0]["account"]
    bought, sold, last_middle = 0, 0, 0
    for i in range(count):
        sink[NEXT] = 0
        step(engine, flow_at + 64 * i, sink_at)
        bid, ask = best(engine, 0, BUY), best(engine, 0, SELL)
        middle = (bid + ask) // 2
        if bid and ask and middle != last_middle:
            last_middle = middle
            quotes[0]["price"] = middle - half_spread
            quotes[1]["price"] = middle + half_spread
            step(engine, quotes_at, sink_at)
            step(engine, quotes_at + 64, sink_at)
        more_bought, more_sold = traded_of(account, events, sink[NEXT])
        bought += more_bought
        sold += more_sold
    return bought, sold


def enter_quotes(engine, account, price, half_spread, qty):
    """Enter both quotes; the two replace commands by which they are moved."""
    quotes = np.zeros(2, COMMAND)
    quotes["type"] = MsgType.REPLACE
    quotes["account"] = account
    quotes["qty"] = qty
    for row, side in enumerate((Side.BUY, Side.SELL)):
        at = price - half_spread if side == Side.BUY else price + half_spread
        engine.new_order(0, account, side, OrdType.LIMIT, TimeInForce.DAY, at, qty)
        quotes["order_id"][row] = engine.answer().order_id
    return quotes


def run(engine: Engine, flow, account: int, price: int, half_spread: int, qty: int):
    """Quote through a flow; lots bought and sold, which the engine's position must confirm."""
    quotes = enter_quotes(engine, account, price, half_spread, qty)
    sink = engine.event_sink()
    return quote(
        engine.address,
        sink,
        sink.ctypes.data,
        engine.event_slots(),
        flow.ctypes.data,
        len(flow),
        quotes,
        quotes.ctypes.data,
        half_spread,
    )
