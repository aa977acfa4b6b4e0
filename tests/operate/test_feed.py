"""`touchline feed` over files that the tests make, and the book at a time that is past."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness import itch_flow
from harness.flows import order_flow
from harness.venue import ThreadVenue
from touchline import Engine, Side, replay
from touchline.control.operate.cli import main
from touchline.control.operate.feed_lines import decimal
from touchline.data import past_book
from touchline.data.past_book import at_time
from touchline.data.through_engine import Through

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    config = tmp_path / "touchline.toml"

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *arguments])

    assert run("init").exit_code == 0
    return run


@pytest.fixture
def itch(tmp_path: Path) -> Path:
    path = tmp_path / "day.itch"
    path.write_bytes(itch_flow.blocks(itch_flow.Flow(5).messages(500)))
    return path


def test_prices_are_printed_exactly() -> None:
    prices = {585_330_000_000: "585.33", 1: "0.000000001", -2_500_000_000: "-2.5", 7 * 10**9: "7"}
    assert [decimal(price) for price in prices] == list(prices.values())


def test_print_shows_each_record(itch: Path, call: Call) -> None:
    result = call("feed", "print", str(itch), "--json", "--symbol", "S002", "--limit", "5")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert len(rows) == 5
    assert {row["symbol"] for row in rows} == {"S002"}
    assert rows[0]["type"] == "DIRECTORY"
    text = call("feed", "print", str(itch)).stdout.splitlines()
    assert len(text) == 500 + 2 + 2 * 3
    assert text[0] == f"ts_ns={itch_flow.START_NS} seq=1 type=SYSTEM symbol=0 code=O"


def test_check_tells_what_is_wrong_by_its_exit_code(tmp_path: Path, itch: Path, call: Call) -> None:
    good = call("feed", "check", str(itch), "--json", "--sigma", "1000")
    facts = json.loads(good.stdout)
    assert good.exit_code == 0, good.output
    assert (facts["score"], facts["missing"], facts["books"]["faults"]) == (1.0, 0, {})
    messages = itch_flow.Flow(5).messages(500)
    frames = [itch_flow.frame(one) for one in itch_flow.datagrams(messages, 10)]
    lossy = tmp_path / "lossy.pcap"
    lossy.write_bytes(itch_flow.pcap(frames[:20] + frames[22:]))
    bad = call("feed", "check", str(lossy), "--json", "--sigma", "1000")
    facts = json.loads(bad.stdout)
    assert bad.exit_code == 1
    assert (facts["missing"], facts["read"]["missing"]) == (20, 20)
    assert 0.9 < facts["score"] < 1
    assert "UNKNOWN_ORDER" in facts["books"]["faults"]
    assert call("feed", "check", str(lossy), "--sigma", "1000", "--score-min", "0.9").exit_code == 0
    assert call("feed", "check", str(itch), "--tick", "x").exit_code == 2
    assert call("feed", "check", str(tmp_path / "none")).exit_code == 5


def test_replay_gives_orders_to_an_engine(itch: Path, call: Call) -> None:
    first = json.loads(call("feed", "replay", str(itch), "--json").stdout)
    again = json.loads(call("feed", "replay", str(itch), "--json").stdout)
    assert first == again
    assert first["records"] == 508
    assert first["commands"] > 300
    assert first["trades"] > 0
    some = json.loads(call("feed", "replay", str(itch), "--json", "--limit", "100").stdout)
    assert some["records"] == 100


def test_orders_that_never_meet_leave_the_book_of_the_records() -> None:
    """Far from the touch, our engine and the books of records hold the same."""
    from touchline.data import RECORD, Books, RecordType

    records = np.zeros(6, RECORD)
    records["type"] = [RecordType.ADD] * 3 + [
        RecordType.EXECUTE, RecordType.CANCEL, RecordType.REPLACE
    ]  # fmt: skip
    records["order_ref"] = [1, 2, 3, 1, 2, 3]
    records["new_ref"] = [0, 0, 0, 0, 0, 4]
    records["side"][:3] = [Side.BUY, Side.SELL, Side.BUY]
    records["price"] = [10 * 10**9, 11 * 10**9, 9 * 10**9, 0, 0, 8 * 10**9]
    records["qty"] = [5, 6, 7, 2, 4, 9]
    through, books = Through(), Books()
    through.apply(records)
    books.apply(records)
    for side in Side:
        theirs = through.engine.depth(0, side)
        ours = books.depth(0, side)
        assert (theirs["price"] * 10**5).tolist() == ours["price"].tolist()
        assert theirs["qty"].tolist() == ours["qty"].tolist()
    assert (through.counts.trades, through.counts.others, through.counts.unknown) == (1, 0, 0)


def test_a_file_that_is_none_is_named(tmp_path: Path, call: Call) -> None:
    for content, words in ((b"", "it is empty"), (b"\xff\xfe\xfd", "it begins as none of")):
        path = tmp_path / "what"
        path.write_bytes(content)
        result = call("feed", "print", str(path))
        assert result.exit_code == 1
        assert f"{path}: byte 0: {words}" in result.stderr


def past_books(engine: Engine, count: int) -> list[Any]:
    return [engine.depth(n, side, 100).tolist() for n in range(count) for side in Side]


def test_the_book_at_a_time_is_that_of_a_replay_up_to_then(
    tmp_path: Path, call: Call, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = ThreadVenue(tmp_path)
    with venue.running():
        venue.open()
        venue.send(order_flow(seed, 400))
    journal = venue.config.journal_dir
    commands = np.concatenate([batch.copy() for batch, _ in replay(journal)])
    monkeypatch.setattr(past_book, "_BATCH", 97)
    times = np.unique(commands["ts_ns"])
    for ts_ns in (0, int(times[0]), int(times[len(times) // 2]), int(times[-1])):
        past = at_time(journal, ts_ns)
        wanted = Engine(**past.engine.capacities._asdict())
        before = commands[: int(np.searchsorted(commands["ts_ns"], ts_ns, side="right"))]
        if len(before):
            wanted.submit(before)
        assert past.commands == len(before)
        assert past.engine.state_hash() == wanted.state_hash()
    symbol = next(iter(past.names.symbols.values()))
    shown = call("book", symbol, "--at", str(int(times[-1])), "--json")
    facts = json.loads(shown.stdout)
    depth = past.engine.depth(past_book.number_of(past, symbol), Side.BUY, 100)
    assert [level["orders"] for level in facts["bids"]] == depth["orders"].tolist()[
        : len(facts["bids"])
    ]
    assert facts["status"] == "READY_TO_TRADE"
    out = tmp_path / "out.itch"
    exported = json.loads(call("feed", "export", str(out), "--json").stdout)
    assert exported["commands"] == len(commands)
    assert exported["state_hash"] == f"{past.engine.state_hash():016x}"
    assert call("feed", "check", str(out), "--sigma", "1e9").exit_code == 0
    assert call("feed", "export", str(out)).exit_code == 1
    early = call("book", symbol, "--at", "1970-01-01T00:00:00Z")
    assert early.exit_code == 1
    assert f"no instrument '{symbol}' was listed then; there were: none" in early.stderr
    assert call("book", symbol, "--at", "yesterday").exit_code == 1
