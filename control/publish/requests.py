"""What a snapshot request may say, and the parts of its reply: docs/marketdata.md in code."""

from __future__ import annotations

import json

from touchline.instruments import Instrument
from touchline.marketdata.layout import VERSION
from touchline.marketdata.mirror import BookState

SYMBOLS_SHOWN = 20  # in a refusal


class BadRequest(Exception):
    """A request that gets an answer saying what is wrong with it; `request_id` as far as known."""

    def __init__(self, text: str, request_id: int | str | None = None) -> None:
        super().__init__(text)
        self.request_id = request_id


def parse(frames: list[bytes]) -> tuple[int | str | None, list[str] | None]:
    """The id and the symbols of a request, None for all; or BadRequest naming what is wrong."""
    if len(frames) != 1:
        raise BadRequest(f"a request is one frame of JSON, not {len(frames)} frames")
    try:
        request = json.loads(frames[0])
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"not JSON: {frames[0][:40]!r}") from error
    if not isinstance(request, dict):
        raise BadRequest('a request is a JSON object such as {"id": 1, "symbols": ["AAA"]}')
    unknown = request.keys() - {"id", "symbols"}
    if unknown:
        raise BadRequest(f"unknown key {sorted(unknown)[0][:40]!r}; allowed are id and symbols")
    request_id = request.get("id")
    if not isinstance(request_id, int | str | None):
        raise BadRequest("id is a number or a text")
    symbols = request.get("symbols")
    if symbols is not None and not (
        isinstance(symbols, list) and all(isinstance(symbol, str) for symbol in symbols)
    ):
        raise BadRequest("symbols is a list of symbols, or null for all", request_id)
    return request_id, symbols


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
    request_id: int | str | None, epoch: int, event_seq: int, ts_ns: int, instruments: list[str]
) -> bytes:
    """The first frame of a reply, from the instruments' own JSON."""
    head = {
        "version": VERSION,
        "id": request_id,
        "epoch": epoch,
        "event_seq": event_seq,
        "ts_ns": ts_ns,
    }
    return f'{json.dumps(head)[:-1]}, "instruments": [{", ".join(instruments)}]}}'.encode()
