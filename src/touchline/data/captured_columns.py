"""The columns of the captured files: name, type and meaning, told once.

The capture writes the meaning into every file as the field's metadata `comment`, the history gives
it to DuckDB's columns, and docs/capture.md says the same at length. A type is Arrow's name for it;
"name" is a dictionary of text. A "?" says that the column may be null; the others never are.
"""

from __future__ import annotations

from decimal import Decimal

LAYOUT_VERSION = 3

# In this order in the files.
COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("seq", "int64", "number of the event, from 1 without gaps"),
    ("ts_ns", "int64", "time of the event, nanoseconds since 1970, UTC"),
    ("transact_time", "timestamp", "the same time, to the microsecond, UTC"),
    ("date", "date32", "the day of the event in UTC; the same in a whole file"),
    ("exec_type", "name", "kind of the event: NEW, TRADE, CANCELED, REJECTED, ..."),
    ("instrument", "int32?", "number of the instrument; null when about none or all"),
    ("symbol", "name?", "name of the instrument; null when it has none"),
    ("order_id", "uint64", "the order, in a trade the taker's; 0 when there is none"),
    ("cl_ord_id", "uint64", "the request answered; 0 when there is none"),
    ("contra_order_id", "uint64", "in a trade the maker's order; otherwise 0"),
    ("account", "int64?", "number of the account; null when about none or all"),
    ("account_name", "name?", "name of the account; null when it has none"),
    ("contra_account", "int64?", "in a trade the maker's account; otherwise null"),
    ("contra_account_name", "name?", "in a trade the name of the maker's account"),
    ("side", "name?", "BUY or SELL, in a trade the taker's"),
    ("ord_type", "name?", "LIMIT, MARKET, ..."),
    ("time_in_force", "name?", "DAY, GTC, IOC, FOK, ..."),
    ("price", "int64?", "in ticks: of the order, or of the trade; null at market"),
    ("price_in_currency", "double?", "price in currency: ticks times the tick size"),
    ("qty", "int64?", "in lots: ordered, traded or taken off; orders of a MASS_CANCELED"),
    ("qty_in_units", "double?", "qty in units of the thing traded: lots times the lot size"),
    ("leaves_qty", "int64?", "in lots: open of order_id after the event"),
    ("reason", "name?", "why it was refused or taken off"),
    ("value", "int64?", "of a refusal: what was refused; also of LIMIT, CHECKPOINT, CLOCK"),
    ("limit", "int64?", "of a refusal: the bound that was broken"),
    ("field", "name?", "of a LIMIT: the name of the limit set"),
    ("status", "name?", "of a status event: HALTED, OPEN, BLOCKED, ..."),
    ("maker_done", "bool?", "of a trade: nothing of the maker's order is left"),
    ("priority_kept", "bool?", "of a replace: the order kept its place"),
    ("flags", "uint8", "all bits, as messages.h has them"),
    ("touch_changed", "bool", "the event made the instrument's best bid or offer another one"),
    ("bid_price", "int64?", "best bid after a touch_changed, in ticks; null when there is none"),
    ("bid_qty", "int64?", "in lots: open at the best bid"),
    ("ask_price", "int64?", "best offer after a touch_changed, in ticks; null when there is none"),
    ("ask_qty", "int64?", "in lots: open at the best offer"),
)

COMMENTS = {name: comment for name, _, comment in COLUMNS}


def decimals(size: Decimal) -> int:
    """How many decimals a number of such units has."""
    return max(0, -int(size.normalize().as_tuple().exponent))


def fraction(size: Decimal) -> tuple[int, int]:
    """The size of a tick or lot as a whole number over a power of ten: 0.125 is 125 over 1000."""
    places = decimals(size)
    return int(size.scaleb(places)), 10**places
