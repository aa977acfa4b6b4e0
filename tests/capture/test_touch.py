"""The best bid and offer of captured events, compared with the engine's own book."""

from pathlib import Path

import numpy as np
import pandas
import pyarrow.parquet as pq
import pytest

from harness.captured_files import (
    QUICK,
    assert_all_captured,
    capture_events,
    capturing,
    events_of,
)
from harness.commands import SYMBOLS, joined, opening
from harness.flows import LIMITS, order_flow
from harness.venue import ThreadVenue
from touchline.control.capture.store import Store
from touchline.core.engine import Engine
from touchline.core.messages import EVENT, Side
from touchline.data import history
from touchline.errors import TouchlineError

QUOTE = ("bid_px", "bid_qty", "ask_px", "ask_qty")


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
                    found = tuple(rows[place][n] for n in QUOTE)
                assert found == sides[number], f"{symbol} after event {seq}"


def test_a_touch_needs_no_events_before_it(tmp_path: Path, seed: int) -> None:
    """It was written with the event: a file that is lost takes away its own rows alone."""
    engine = Engine(**LIMITS._asdict())
    parts = (engine.submit(opening()).copy(), engine.submit(order_flow(seed, 900)))
    capture_events(tmp_path, joined(parts, EVENT), 300)
    with history.open(tmp_path) as past:
        whole = past.query("FROM touch ORDER BY seq").rows()
    first = min(tmp_path.glob("events/*/*"))
    first.unlink()
    with history.open(tmp_path, skip_damaged=True) as past:
        assert past.query("FROM touch ORDER BY seq").rows() == [r for r in whole if r[0] > 300]
        assert [fault.path for fault in past.faults] == [first]


def test_the_touch_is_told_where_it_changes_and_only_there(tmp_path: Path, seed: int) -> None:
    events = events_of(seed, 1500)
    capture_events(tmp_path, events, 700)
    with history.open(tmp_path) as past:
        rows = past.query("SELECT symbol, * EXCLUDE symbol FROM touch ORDER BY seq").rows()
        silent = past.query(
            "SELECT count(*) FROM events WHERE NOT touch_changed AND "
            "coalesce(bid_price, bid_qty, ask_price, ask_qty) IS NOT NULL"
        ).rows()
    assert silent == [(0,)]
    last: dict[str, tuple[object, ...]] = dict.fromkeys(SYMBOLS, (None,) * 4)
    for symbol, *_, bid_px, bid_qty, ask_px, ask_qty, _ in rows:
        assert last[symbol] != (bid_px, bid_qty, ask_px, ask_qty)
        assert bid_px is None or ask_px is None or bid_px < ask_px
        last[symbol] = (bid_px, bid_qty, ask_px, ask_qty)


def test_a_capture_that_starts_again_tells_the_touch_of_orders_from_before(
    tmp_path: Path, seed: int
) -> None:
    """The first event after a start may change a book that was built long before."""
    with ThreadVenue(tmp_path, **QUICK).running(event_slots=1024) as venue:
        venue.open()
        for rows in np.array_split(order_flow(seed, 3000), 3):
            venue.send(rows)
            with capturing(venue):
                pass
        assert_all_captured(venue)


def test_files_of_the_layout_before_are_refused_with_advice(tmp_path: Path, seed: int) -> None:
    capture_events(tmp_path, events_of(seed, 100), 1000)
    (path,) = tmp_path.glob("events/*/*")
    rows = pq.ParquetFile(path).read()
    old = {**rows.schema.metadata, b"touchline": b'{"version": 2, "instruments": []}'}
    pq.write_table(rows.replace_schema_metadata(old), path)
    refusal = pytest.raises(TouchlineError, match=r"is of layout 2, not 3; move .* away")
    with refusal, Store(tmp_path):
        pass


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
        if last["bid_px"] is not None and last["ask_px"] is not None:
            gained = (last["bid_px"] + last["ask_px"]) / 2 - price
            assert markout == pytest.approx(gained if side == "BUY" else -gained)


def test_the_touch_of_an_unknown_symbol_is_refused(tmp_path: Path, seed: int) -> None:
    engine = Engine(**LIMITS._asdict())
    capture_events(tmp_path, engine.submit(opening()).copy(), 100)
    with history.open(tmp_path) as past:
        with pytest.raises(TouchlineError, match="symbol='ZZZ': nothing has been captured of it"):
            past.touch("ZZZ")
        assert past.touch("AAA").num_rows == 0
