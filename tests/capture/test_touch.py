"""The best bid and offer of captured events, compared with the engine's own book."""

from pathlib import Path

import numpy as np
import pandas
import pytest

from harness.captured_files import capture_events
from harness.commands import SYMBOLS, joined, opening
from harness.flows import LIMITS, order_flow
from touchline.core.engine import Engine
from touchline.core.messages import EVENT, Side
from touchline.data import history
from touchline.errors import TouchlineError


def best(engine: Engine, instrument: int, side: Side) -> tuple[float | None, float | None]:
    """Price and quantity of the first level of a side, as people read them."""
    orders = engine.orders(instrument, side)
    if not len(orders):
        return None, None
    prices = orders["price"]
    price = prices.max() if side == Side.BUY else prices.min()
    lots = int(orders["leaves_qty"][prices == price].sum())
    return int(price) / 100, lots * 10.0


def test_the_touch_after_every_command_is_the_engines(tmp_path: Path, seed: int) -> None:
    engine = Engine(**LIMITS._asdict())
    made = [engine.submit(opening()).copy()]
    wanted = []
    for command in order_flow(seed, 1500).reshape(-1, 1):
        made.append(engine.submit(command).copy())
        sides = [(*best(engine, n, Side.BUY), *best(engine, n, Side.SELL)) for n in range(3)]
        wanted.append((engine.event_seq, sides))
    events = joined(made, EVENT).copy()
    events["ts_ns"] = np.arange(len(events)) + 1
    capture_events(tmp_path, events, 700)
    with history.open(tmp_path) as past:
        for number, symbol in enumerate(SYMBOLS):
            rows = past.touch(symbol).to_pylist()
            assert len(rows) > 100
            seqs = [row["seq"] for row in rows]
            for seq, sides in wanted:
                place = int(np.searchsorted(seqs, seq, side="right")) - 1
                found = (None,) * 4
                if place >= 0:
                    found = tuple(rows[place][n] for n in ("bid", "bid_qty", "ask", "ask_qty"))
                assert found == sides[number], f"{symbol} after event {seq}"


def test_a_touch_of_half_the_events_says_what_is_missing(tmp_path: Path, seed: int) -> None:
    engine = Engine(**LIMITS._asdict())
    parts = (engine.submit(opening()).copy(), engine.submit(order_flow(seed, 900)))
    capture_events(tmp_path, joined(parts, EVENT), 300)
    first = min(tmp_path.glob("events/*/*"))
    first.unlink()
    with history.open(tmp_path, skip_damaged=True) as past:
        with pytest.raises(TouchlineError, match="was never entered: events before are missing"):
            [past.touch(symbol) for symbol in SYMBOLS]
        assert [fault.path for fault in past.faults] == [first]


def test_a_markout_is_computed_as_the_page_says(tmp_path: Path, seed: int) -> None:
    engine = Engine(**LIMITS._asdict())
    parts = (engine.submit(opening()).copy(), engine.submit(order_flow(seed, 900)))
    events = joined(parts, EVENT).copy()
    events["ts_ns"] = (np.arange(len(events)) + 1) * 100_000_000
    capture_events(tmp_path, events, 1000)
    page = (Path(__file__).parents[2] / "docs/capture.md").read_text(encoding="utf-8")
    (code,) = (part for part in page.split("```python\n") if part.startswith("quotes ="))
    with history.open(tmp_path) as past:
        names = {"past": past, "pandas": pandas}
        exec(code.partition("```")[0], names)
        trades = past.query("SELECT ts_ns, price, side FROM trades WHERE symbol = 'AAA'").rows()
        quotes = past.touch("AAA").to_pylist()
    assert len(names["markout"]) == len(trades) > 50
    for (ts_ns, price, side), markout in zip(trades, names["markout"], strict=True):
        last = [q for q in quotes if q["ts_ns"] <= ts_ns + 1_000_000_000][-1]
        if last["bid"] is not None and last["ask"] is not None:
            expected = ((last["bid"] + last["ask"]) / 2 - price) * (1 if side == "BUY" else -1)
            assert markout == pytest.approx(expected)


def test_the_touch_of_an_unknown_symbol_is_refused(tmp_path: Path, seed: int) -> None:
    engine = Engine(**LIMITS._asdict())
    capture_events(tmp_path, engine.submit(opening()).copy(), 100)
    with history.open(tmp_path) as past:
        with pytest.raises(TouchlineError, match="symbol='ZZZ': nothing has been captured of it"):
            past.touch("ZZZ")
        assert past.touch("AAA").num_rows == 0
