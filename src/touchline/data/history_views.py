"""The views of the history in a DuckDB connection, with a comment on every view and column.

The rules of SQL are in views.sql. A connection is DuckDB's; this module imports nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from importlib.resources import files as resources
from typing import Any

from touchline.data.captured_columns import COMMENTS, LAYOUT_VERSION, decimals
from touchline.errors import TouchlineError

# What a column of a view is where it is not one of the files, or in other units than there.
VIEW_COLUMNS = {
    "price": "in currency; null for an order at market",
    "qty": "in units of the thing traded",
    "symbol": "name of the instrument, or its number where it has none",
    "account": "name of the account, or its number where it has none",
    "contra_account": "the other side's account: its name, or its number where it has none",
    "order_qty": "OrderQty in units, as last accepted",
    "cum_qty": "executed so far, in units",
    "leaves_qty": "still open, in units",
    "avg_px": "average price of its executions, in currency",
    "ord_status": "NEW, PARTIALLY_FILLED, FILLED, CANCELED or EXPIRED",
    "first_time": "time of the first event, UTC",
    "last_time": "time of the last event, UTC",
    "liquidity": "TAKER, or MAKER whose order was resting",
    "last_px": "price of the execution, in currency",
    "last_qty": "quantity of the execution, in units",
    "contra_order_id": "the order on the other side",
    "bar_time": "beginning of the bar, UTC",
    "open": "price of the first trade, in currency",
    "high": "highest price, in currency",
    "low": "lowest price, in currency",
    "close": "price of the last trade, in currency",
    "volume": "quantity traded, in units",
    "vwap": "average price weighted by quantity, in currency",
    "trades": "number of trades",
    "surplus": "what an auction leaves without an order on the other side, in units",
    "refusals": "number of refused requests",
    "bid_px": "best bid, in currency; null when there is none",
    "bid_qty": "open at the best bid, in units",
    "ask_px": "best offer, in currency; null when there is none",
    "ask_qty": "open at the best offer, in units",
    "currency": "currency of the prices",
    "tick_size": "what one tick is worth, in currency",
    "lot_size": "what one lot is worth, in units",
    "price_decimals": "decimals of the tick size",
    "qty_decimals": "decimals of the lot size",
}
VIEWS = {
    "events": "one row per event; prices in ticks and quantities in lots, and as people read them",
    "orders": "one row per accepted order: what became of it",
    "trades": "one row per trade, told from the taker's side",
    "auctions": "one row each time an auction is told of: INDICATIVE, at its end UNCROSSED",
    "touch": "one row per change of an instrument's best bid or offer",
    "executions": "one row per fill of one side, so two per trade",
    "bars_1m": "one row per minute with a trade, and instrument",
    "refusals": "one row per refused request",
    "refusals_by_reason": "how often each reason refused a request",
    "instruments": "one row per instrument that has a name",
}


def create_views(connection: Any, paths: Sequence[str], instruments: list[dict[str, Any]]) -> None:
    """Make the table, `events` over the files, which DuckDB may glob, and the views on it."""
    connection.execute(
        "CREATE OR REPLACE TABLE instruments (symbol VARCHAR, instrument INTEGER, "
        "currency VARCHAR, tick_size DOUBLE, lot_size DOUBLE, price_decimals INTEGER, "
        "qty_decimals INTEGER)"
    )
    for size in instruments:
        tick, lot = Decimal(size["tick_size"]), Decimal(size["lot_size"])
        connection.execute(
            "INSERT INTO instruments VALUES (?, ?, ?, ?, ?, ?, ?)",
            [size["symbol"], size["instrument"], size["currency"], float(tick), float(lot),
             decimals(tick), decimals(lot)],
        )  # fmt: skip
    listed = ", ".join(_literal(path) for path in paths)
    # What a directory above is called must not become a column, so hive_partitioning is off.
    connection.execute(
        "CREATE OR REPLACE VIEW events AS SELECT * REPLACE "
        "(make_timestamp(ts_ns // 1000) AS transact_time) "
        f"FROM read_parquet([{listed}], hive_partitioning = false)"
    )
    views = (resources("touchline.data") / "views.sql").read_text(encoding="utf-8")
    connection.execute(views)
    _comment(connection)


def _comment(connection: Any) -> None:
    statements = []
    for view, comment in VIEWS.items():
        kind = "TABLE" if view == "instruments" else "VIEW"
        statements.append(f"COMMENT ON {kind} {view} IS {_literal(comment)}")
    columns = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall()
    for view, column in columns:
        known = COMMENTS if view == "events" else COMMENTS | VIEW_COLUMNS
        if view in VIEWS and column in known:
            name = f'{view}."{column}"'
            statements.append(f"COMMENT ON COLUMN {name} IS {_literal(known[column])}")
    # In one transaction: each comment by itself would be written to the disk by itself.
    connection.execute(";".join(["BEGIN", *statements, "COMMIT"]))


def sizes_in(connection: Any, path: str) -> list[dict[str, Any]]:
    """The instruments that a captured file, which DuckDB may glob, has in its metadata."""
    rows = connection.execute(
        "SELECT value FROM parquet_kv_metadata(?) WHERE key = 'touchline'", [path]
    ).fetchall()
    told = json.loads(bytes(rows[0][0])) if rows else {}
    if told.get("version") != LAYOUT_VERSION:
        raise TouchlineError(
            f"{path}: is of layout {told.get('version')}, this touchline reads {LAYOUT_VERSION}"
        )
    found: list[dict[str, Any]] = told["instruments"]
    return found


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
