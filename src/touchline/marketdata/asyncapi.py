"""The published messages as an AsyncAPI 3 document, made of the layouts, so that both are one.

The document is that of a subscriber: it receives the topics, and sends requests that are answered.
A payload is binary: its schema is that of the message once it is read, and `x-layout` says how to
read it: each field's offset, and its type as numpy writes it, little-endian.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from touchline.marketdata.layout import BAR, HEADER, HEARTBEAT_TOPIC, KINDS, RECORDS, VERSION, Kind

Schema = dict[str, Any]
BINARY = "application/octet-stream"
_BITS = {"u1": 8, "u2": 16, "u4": 32, "u8": 64, "i8": 63}
_WHAT = {
    Kind.TRADES: "Every trade.",
    Kind.BBO: "The best bid and offer, each time that an event has changed them.",
    Kind.DEPTH: "Price levels as they are now; a level without orders is gone.",
    Kind.STATUS: "Halts and resumptions, and the venue's kill switch.",
    Kind.STATISTICS: "The newest statistics of the day; a record replaces the one before it.",
    Kind.HEARTBEAT: "Each second: the last number used in each topic of each instrument.",
}


def document() -> Schema:
    """The whole document, to be written as JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "touchline market data",
            "version": str(VERSION),
            "description": "As a subscriber sees it; marketdata.md explains every field.",
        },
        "defaultContentType": BINARY,
        "servers": {
            "publish": _server("5556", "A PUB socket: connect a SUB socket."),
            "snapshot": _server("5557", "A ROUTER socket: connect a DEALER or REQ socket."),
        },
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _server(port: str, what: str) -> Schema:
    return {
        "host": f"127.0.0.1:{port}",
        "protocol": "zmtp",
        "protocolVersion": "3.1",
        "description": f"{what} With CURVE where the venue asks for keys.",
    }


def _ref(*path: str) -> Schema:
    return {"$ref": "#/" + "/".join(path)}


def _channels() -> Schema:
    found: Schema = {}
    for kind in Kind:
        name = kind.name.lower()
        every = kind == Kind.HEARTBEAT
        found[name] = {
            "address": HEARTBEAT_TOPIC.decode() if every else f"{name}/{{symbol}}/",
            "servers": [_ref("servers", "publish")],
            "description": f"{_WHAT[kind]} The first frame is the topic.",
            "messages": {name: _ref("components", "messages", name)},
        }
        if not every:
            found[name]["parameters"] = {"symbol": {"description": "The instrument's symbol."}}
    for name in ("request", "reply"):
        found[name] = {
            "address": None,
            "servers": [_ref("servers", "snapshot")],
            "messages": {name: _ref("components", "messages", name)},
        }
    return found


def _operations() -> Schema:
    found: Schema = {
        f"receive_{kind.name.lower()}": {
            "action": "receive",
            "channel": _ref("channels", kind.name.lower()),
        }
        for kind in Kind
    }
    found["ask"] = {
        "action": "send",
        "channel": _ref("channels", "request"),
        "reply": {"channel": _ref("channels", "reply")},
    }
    return found


def _messages() -> Schema:
    found: Schema = {
        kind.name.lower(): {
            "contentType": BINARY,
            "summary": _WHAT[kind],
            "payload": _ref("components", "schemas", kind.name.lower()),
            "x-layout": {"header": layout(HEADER), "record": layout(RECORDS[kind])},
        }
        for kind in Kind
    }
    for name in ("request", "reply"):
        found[name] = {
            "contentType": "application/json",
            "payload": _ref("components", "schemas", name),
        }
    found["reply"]["description"] = (
        "The first frame. After it, of snapshots one frame of DEPTH records for each instrument, "
        "of history one payload as of its topic a frame, of bars one frame of BAR records."
    )
    found["reply"]["x-layout"] = {"bar": layout(BAR)}
    return found


def layout(record: np.dtype[np.void]) -> Schema:
    """How a record lies in its bytes."""
    assert record.fields is not None
    fields = {
        name: {"offset": place[1], "type": place[0].str.lstrip("<|")}
        for name, place in record.fields.items()
    }
    return {"bytes": record.itemsize, "byteOrder": "little", "fields": fields}


def _whole(bits: int = 64) -> Schema:
    return {"type": "integer", "minimum": 0, "maximum": (1 << bits) - 1}


def _object(properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _record(record: np.dtype[np.void], **narrower: Schema) -> Schema:
    assert record.fields is not None
    return _object(
        {
            name: narrower.get(name, _whole(_BITS[place[0].str.lstrip("<|")]))
            for name, place in record.fields.items()
        }
    )


def _row(record: np.dtype[np.void]) -> Schema:
    """A record's fields as a list, as in a snapshot."""
    count = len(record.names or ())
    return {"type": "array", "items": _whole(), "minItems": count, "maxItems": count}


def _side() -> Schema:
    return {"enum": [ord("1"), ord("2")], "description": "'1' Buy or bids, '2' Sell or asks"}


def _schemas() -> Schema:
    narrower: dict[Kind, Schema] = {
        Kind.TRADES: {"side": _side()},
        Kind.DEPTH: {"side": _side()},
        Kind.STATUS: {"trading_status": {"enum": [2, 17]}, "entry_status": {"enum": [1, 2]}},
    }
    found: Schema = {}
    for kind in Kind:
        single = kind == Kind.STATISTICS
        head = _record(HEADER, kind={"const": int(kind)}, version={"const": VERSION})
        records = {
            "type": "array",
            "items": _record(RECORDS[kind], **narrower.get(kind, {})),
            **({"minItems": 1} if kind in KINDS else {}),
            **({"maxItems": 1} if single else {}),
        }
        found[kind.name.lower()] = _object({"header": head, "records": records})
    return found | {"request": _request(), "reply": _reply()}


def _request() -> Schema:
    identity = {"type": ["integer", "string", "null"]}
    symbols = {"type": ["array", "null"], "items": {"type": "string"}}
    kinds = [kind.name.lower() for kind in KINDS]
    symbol = {"type": "string"}
    history = {"symbol": symbol, "kind": {"enum": kinds}, "first": _whole(63), "last": _whole(63)}
    bars = {
        "symbol": symbol,
        "seconds": {"type": "integer", "minimum": 1, "maximum": 7 * 86_400},
        "from_ns": _whole(62),
        "until_ns": _whole(62),
    }
    snapshot = {"id": identity, "symbols": symbols, "since": _whole(63), "levels": _whole(20)}
    return {
        "oneOf": [
            _object(snapshot, optional=tuple(snapshot)),
            _object({"id": identity, "history": _object(history)}, optional=("id",)),
            _object({"id": identity, "bars": _object(bars)}, optional=("id",)),
        ]
    }


def _reply() -> Schema:
    begins = {"version": {"const": VERSION}, "id": {"type": ["integer", "string", "null"]}}
    at = {"epoch": _whole(), "event_seq": _whole(), "ts_ns": _whole(63)}
    size = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
    last_trade = {"oneOf": [{"type": "null"}, _row(RECORDS[Kind.TRADES])]}
    seqs = {"type": "array", "items": _whole(), "minItems": len(KINDS), "maxItems": len(KINDS)}
    instrument = _object(
        {
            "symbol": {"type": "string"},
            "instrument": _whole(16),
            "tick_size": size,
            "lot_size": size,
            "currency": {"type": "string"},
            "seqs": seqs,
            "trading_status": {"enum": [2, 17]},
            "entry_status": {"enum": [1, 2]},
            "bbo": _row(RECORDS[Kind.BBO]),
            "last_trade": last_trade,
            "statistics": _row(RECORDS[Kind.STATISTICS]),
        }
    )
    snapshot = {
        "history": {"type": "boolean"},
        "instruments": {"type": "array", "items": instrument},
    }
    numbers = {name: _whole() for name in ("oldest", "newest", "first", "last")}
    bars = {
        "from_ns": _whole(63),
        "until_ns": _whole(63),
        "complete": {"type": "boolean"},
        "bars": _whole(32),
    }
    return {
        "oneOf": [
            _object(begins | {"error": {"type": "string"}}),
            _object(begins | at | snapshot),
            _object(begins | at | {"history": _object(numbers)}),
            _object(begins | at | {"bars": _object(bars)}),
        ]
    }
