"""What a request may say, and the parts of its reply: docs/marketdata.md in code."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from touchline.control.publish.history import Bars, Range
from touchline.instruments import Instrument
from touchline.marketdata.layout import KINDS, VERSION
from touchline.marketdata.mirror import BookState

SYMBOLS_SHOWN = 20  # in a refusal
WANTED = ("symbols", "history", "bars")
LEVELS_MAX = 1 << 20  # that a request can name
SECONDS_MAX = 7 * 86_400  # of a bar
TIME_MAX = (1 << 62) - 1


class BadRequest(Exception):
    """A request that gets an answer saying what is wrong with it; `request_id` as far as known."""

    def __init__(self, text: str, request_id: int | str | None = None) -> None:
        super().__init__(text)
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: snapshots of `symbols`, None for all, unless it is history or bars."""

    request_id: int | str | None
    symbols: list[str] | None
    history: dict[str, Any] | None = None
    bars: dict[str, Any] | None = None
    since: int = 0  # of snapshots: those that an event after this one has changed
    levels: int = 0  # and so many levels a side, 0 for all


def parse(frames: list[bytes]) -> Request:
    """The request in these frames, or BadRequest naming what is wrong."""
    if len(frames) != 1:
        raise BadRequest(f"a request is one frame of JSON, not {len(frames)} frames")
    try:
        request = json.loads(frames[0])
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"not JSON: {frames[0][:40]!r}") from error
    if not isinstance(request, dict):
        raise BadRequest('a request is a JSON object such as {"id": 1, "symbols": ["AAA"]}')
    unknown = request.keys() - {"id", "since", "levels", *WANTED}
    if unknown:
        allowed = f"allowed are id, since, levels and one of {', '.join(WANTED)}"
        raise BadRequest(f"unknown key {sorted(unknown)[0][:40]!r}; {allowed}")
    request_id = request.get("id")
    if not isinstance(request_id, int | str | None):
        raise BadRequest("id is a number or a text")
    symbols = request.get("symbols")
    if symbols is not None and not (
        isinstance(symbols, list) and all(isinstance(symbol, str) for symbol in symbols)
    ):
        raise BadRequest("symbols is a list of symbols, or null for all", request_id)
    if len(request.keys() & set(WANTED)) > 1:
        raise BadRequest(f"one of {', '.join(WANTED)} at a time", request_id)
    for name in ("history", "bars"):
        if name in request and not isinstance(request[name], dict):
            raise BadRequest(f"{name} is an object", request_id)
    found = Request(request_id, symbols, request.get("history"), request.get("bars"))
    since = _whole({"since": 0} | request, "since", 0, (1 << 63) - 1, found)
    levels = _whole({"levels": 0} | request, "levels", 0, LEVELS_MAX, found)
    return replace(found, since=since, levels=levels)


def range_of(request: Request, listed: dict[str, int]) -> Range:
    """The records that a request for history means; or BadRequest."""
    given = _only(request.history, ("symbol", "kind", "first", "last"), request)
    names = {kind.name.lower(): kind for kind in KINDS}
    kind = names.get(given["kind"]) if isinstance(given["kind"], str) else None
    if kind is None:
        raise BadRequest(f"kind is one of {', '.join(names)}", request.request_id)
    first, last = (_whole(given, key, 1, (1 << 63) - 1, request) for key in ("first", "last"))
    if first > last:
        raise BadRequest(f"first {first} is beyond last {last}", request.request_id)
    return Range(_number(given, listed, request), kind, first, last)


def bars_of(request: Request, listed: dict[str, int]) -> Bars:
    """The bars that a request means; or BadRequest."""
    given = _only(request.bars, ("symbol", "seconds", "from_ns", "until_ns"), request)
    seconds = _whole(given, "seconds", 1, SECONDS_MAX, request)
    from_ns, until_ns = (
        _whole(given, key, 0, TIME_MAX, request) for key in ("from_ns", "until_ns")
    )
    if from_ns >= until_ns:
        raise BadRequest(f"from_ns {from_ns} is not before until_ns {until_ns}", request.request_id)
    return Bars(_number(given, listed, request), seconds, from_ns, until_ns)


def _only(given: dict[str, Any] | None, keys: tuple[str, ...], request: Request) -> dict[str, Any]:
    """An object that has these keys and no others."""
    found = given or {}
    if found.keys() != set(keys):
        raise BadRequest(f"keys wanted are {', '.join(keys)}, and no others", request.request_id)
    return found


def _whole(given: dict[str, Any], key: str, low: int, high: int, request: Request) -> int:
    value = given[key]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(f"{key} is a whole number from {low} to {high}", request.request_id)
    return value


def _number(given: dict[str, Any], listed: dict[str, int], request: Request) -> int:
    if not isinstance(given["symbol"], str):
        raise BadRequest("symbol is a text", request.request_id)
    return choose([given["symbol"]], listed, request.request_id)[0]


def choose(
    symbols: list[str] | None, listed: dict[str, int], request_id: int | str | None
) -> list[int]:
    """The numbers of the instruments a request means; BadRequest for one that is not listed."""
    if symbols is None:
        return list(listed.values())
    for symbol in symbols:
        if symbol not in listed:
            known = ", ".join(list(listed)[:SYMBOLS_SHOWN]) or "none yet"
            more = " and more" if len(listed) > SYMBOLS_SHOWN else ""
            raise BadRequest(
                f"unknown symbol {symbol[:36]!r}; listed are: {known}{more}", request_id
            )
    return [listed[symbol] for symbol in dict.fromkeys(symbols)]


def refusal(wrong: BadRequest) -> bytes:
    """The one frame of an answer to a bad request."""
    text = {"version": VERSION, "id": wrong.request_id, "error": str(wrong)}
    return json.dumps(text).encode()


def instrument_json(instrument: Instrument, state: BookState, entry_status: int) -> str:
    """All of an instrument but its levels."""
    return json.dumps(
        {
            "symbol": instrument.symbol,
            "instrument": instrument.index,
            "tick_size": f"{instrument.tick_size:f}",
            "lot_size": f"{instrument.lot_size:f}",
            "currency": instrument.currency,
            "seqs": state.seqs,
            "trading_status": state.trading_status,
            "entry_status": entry_status,
            "bbo": state.bbo,
            "last_trade": state.last_trade,
            "statistics": state.statistics,
        }
    )


def head_frame(
    request_id: int | str | None, at: tuple[int, int, int], history: bool, instruments: list[str]
) -> bytes:
    """The first frame of a reply, from the instruments' own JSON."""
    head = {
        "version": VERSION,
        "id": request_id,
        "epoch": at[0],
        "event_seq": at[1],
        "ts_ns": at[2],
        "history": history,
    }
    return f'{json.dumps(head)[:-1]}, "instruments": [{", ".join(instruments)}]}}'.encode()
