"""Reading the journal from Python: what was sent, a live tail, and damage by name."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.commands import joined
from harness.flows import mixed_flow
from harness.venue import SMALL, RuntimeVenue, wait_commands
from touchline.core.messages import COMMAND, LANE_API
from touchline.errors import JournalCorrupt
from touchline.runtime.journal import JournalReader

HEADER_BYTES = 4096


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def write_journal(venue: RuntimeVenue, commands: np.ndarray) -> None:
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(commands, timeout_s=30.0)
        wait_commands(bus, len(commands))


def read_journal(directory: Path, batch: int = 1000) -> np.ndarray:
    with JournalReader(directory) as reader:
        parts = [np.empty(0, COMMAND)]
        while len(commands := reader.read(batch)):
            parts.append(commands)
    return joined(parts)


def spoil(path: Path, at: int, xor: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= xor
    path.write_bytes(content)


def test_the_journal_holds_what_was_sent_numbered_and_timed(venue: RuntimeVenue, seed: int) -> None:
    sent = mixed_flow(seed, 3000)
    write_journal(venue, sent)
    kept = read_journal(venue.journal, batch=700)
    assert kept["seq"].tolist() == list(range(1, 3001))
    assert (np.diff(kept["ts_ns"]) >= 0).all()
    for name in ("seq", "ts_ns", "checksum"):
        kept[name] = 0
        sent[name] = 0
    assert kept.tobytes() == sent.tobytes()
    with JournalReader(venue.journal) as reader:
        assert reader.capacities == SMALL
        assert reader.next_seq == 1
        assert len(reader.read(0)) == 0


def test_a_reader_follows_the_engine(venue: RuntimeVenue, seed: int) -> None:
    commands = mixed_flow(seed, 3000)
    with (
        venue.running() as (bus, _),
        bus.lane(LANE_API) as lane,
        JournalReader(venue.journal) as reader,
    ):
        assert reader.journal_id == bus.status()["journal_id"]
        for at in range(0, 3000, 300):
            lane.send(commands[at : at + 300])
            wait_commands(bus, at + 300)
            assert reader.read(1 << 20)["seq"][0] == at + 1
            while len(reader.read()):
                pass
            assert reader.next_seq == at + 301


def test_a_flipped_bit_is_refused_with_path_offset_and_number(
    venue: RuntimeVenue, seed: int
) -> None:
    write_journal(venue, mixed_flow(seed, 2500))
    segment = venue.journal / "00000002.tlj"
    slots = ((1 << 16) - HEADER_BYTES) // 64
    offset = HEADER_BYTES + 7 * 64
    spoil(segment, offset + 33, 0x10)
    with pytest.raises(JournalCorrupt, match="bad checksum of the command") as damage:
        read_journal(venue.journal)
    assert damage.value.path == str(segment)
    assert (damage.value.offset, damage.value.seq) == (offset, slots + 8)


def test_a_torn_tail_is_an_end_for_a_reader(venue: RuntimeVenue, seed: int) -> None:
    write_journal(venue, mixed_flow(seed, 100))
    spoil(venue.journal / "00000001.tlj", HEADER_BYTES + 99 * 64 + 20, 0x01)
    assert len(read_journal(venue.journal)) == 99


def test_a_missing_segment_is_named(venue: RuntimeVenue, seed: int) -> None:
    write_journal(venue, mixed_flow(seed, 2500))
    (venue.journal / "00000002.tlj").unlink()
    with pytest.raises(JournalCorrupt, match=r"00000002\.tlj.*the segment is missing"):
        JournalReader(venue.journal)


def test_no_journal_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        JournalReader(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no journal here"):
        JournalReader(tmp_path)
    (tmp_path / "00000001.tlj").write_bytes(b"something else" * 1000)
    with pytest.raises(JournalCorrupt, match="not a touchline journal segment"):
        JournalReader(tmp_path)


def test_a_closed_reader_is_refused(venue: RuntimeVenue, seed: int) -> None:
    write_journal(venue, mixed_flow(seed, 10))
    reader = JournalReader(venue.journal)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read()


@pytest.mark.parametrize("spoilt", ["missing", "empty", "zeroed"])
@pytest.mark.parametrize("name", ["00000001.tlj", "00000002.tlj", "00000003.tlj"])
def test_a_lost_segment_is_never_taken_for_the_end(
    venue: RuntimeVenue, seed: int, name: str, spoilt: str
) -> None:
    write_journal(venue, mixed_flow(seed, 2500))
    segment = venue.journal / name
    bytes_before = segment.stat().st_size
    segment.unlink()
    if spoilt != "missing":
        segment.write_bytes(bytes(bytes_before if spoilt == "zeroed" else 0))
    with pytest.raises(JournalCorrupt) as damage:
        read_journal(venue.journal)
    assert damage.value.path == str(segment)
    with pytest.raises(JournalCorrupt, match=name), venue.running():
        pass
