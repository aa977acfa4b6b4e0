"""A venue over a long journal opens; `make long-start` does it with millions."""

from pathlib import Path

import pytest

from harness.crafted_journal import built
from harness.long_start import opened, prepared
from touchline.config import load
from touchline.control.operate.verify import replay_whole
from touchline.data import history
from touchline.runtime.journal import JournalReader


@pytest.mark.parametrize(("kind", "commands"), [("requests", 60_000), ("commands", 30_000)])
def test_a_venue_opens_over_a_long_journal_and_captures_all_of_it(
    tmp_path: Path, kind: str, commands: int
) -> None:
    path = prepared(tmp_path, built(tmp_path), kind, 30_000)
    data_dir = load(path).venue.data_dir
    with JournalReader(data_dir / "journal") as reader:
        while len(reader.read(1 << 16)):
            pass
        assert reader.next_seq > commands
    seen = opened(path)
    assert seen["memory_mb"]["gateway"] > 0
    replayed = replay_whole(data_dir / "journal")
    with history.open(data_dir) as past:
        assert past.query("SELECT max(seq), count(*) FROM events").rows() == [
            (replayed.events, replayed.events)
        ]
        assert past.query("SELECT count(*) FROM trades").rows() == [(15_000,)]
