"""Market records as lines of text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from touchline.core.messages import Side
from touchline.data import PRICE_SCALE, Reader, RecordType

_TYPES = {int(kind): kind.name for kind in RecordType}
_SIDES = {int(side): side.name for side in Side}
_DECIMALS = len(str(PRICE_SCALE)) - 1


def decimal(price: int) -> str:
    """A price as people write it: 585330000000 is 585.33."""
    whole, part = divmod(abs(price), PRICE_SCALE)
    text = f"{whole}.{part:0{_DECIMALS}d}".rstrip("0").rstrip(".")
    return f"-{text}" if price < 0 else text


def facts(record: Any, symbols: Mapping[int, str]) -> dict[str, Any]:
    """One record: what it has, by name."""
    instrument = int(record["instrument"])
    found: dict[str, Any] = {
        "ts_ns": int(record["ts_ns"]),
        "seq": int(record["seq"]),
        "type": _TYPES.get(int(record["type"]), int(record["type"])),
        "symbol": symbols.get(instrument, str(instrument)),
        "side": _SIDES.get(int(record["side"])),
        "price": decimal(int(record["price"])) if record["price"] else None,
        "qty": int(record["qty"]) or None,
        "order_ref": int(record["order_ref"]) or None,
        "new_ref": int(record["new_ref"]) or None,
        "code": chr(record["code"]) if record["code"] else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def lines(reader: Reader, symbol: str | None, limit: int | None, as_json: bool) -> Iterator[str]:
    """A line for each record, of one symbol or all, up to `limit`."""
    count = 0
    for records in reader:
        for record in records:
            if count == limit:
                return
            found = facts(record, reader.symbols)
            if symbol is not None and found["symbol"] != symbol:
                continue
            count += 1
            yield (
                json.dumps(found)
                if as_json
                else " ".join(f"{name}={value}" for name, value in found.items())
            )
