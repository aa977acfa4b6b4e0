"""What a gateway of either engine writes of its sessions; a bad disk harms none of them."""

import json
from pathlib import Path
from typing import Any

from harness.fix_client import FixClient, utc_now
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import until
from touchline.fix.presence import FILE


def row(venue: PartsVenue, name: str = "BROKER1") -> dict[str, Any]:
    path = venue.config.fix_dir / FILE
    rows = json.loads(path.read_text())["sessions"] if path.exists() else []
    return next((one for one in rows if one["comp_id"] == name), {"state": "unknown"})


def test_who_is_here_is_written_and_what_was_exchanged(tmp_path: Path, engine: str) -> None:
    with running_venue(tmp_path, engine) as venue:
        until(lambda: row(venue)["state"] == "away", "it is written before anybody came")
        with FixClient(venue.port, "BROKER1") as client:
            client.logon()
            client.send(
                "D", "11=P1", "55=S00", "54=1", "38=10", "40=2", "44=1", f"60={utc_now()}"
            )  # fmt: skip
            client.expect(_35="8", _39="0")
            until(lambda: row(venue)["state"] == "on", "it is here")
            assert row(venue)["address"] == "127.0.0.1"
            if engine == "native":
                until(lambda: row(venue)["next_in"] == 3, "what it sent is counted")
                assert (row(venue)["next_out"], row(venue)["unsent"]) == (3, 0)
            else:
                assert "next_in" not in row(venue)
        until(lambda: row(venue)["state"] == "away", "it is away")
    assert (venue.config.fix_dir / FILE).stat().st_mode & 0o077 == 0


def test_a_file_that_can_not_be_written_harms_no_session(tmp_path: Path, engine: str) -> None:
    blocked = tmp_path / "fix" / "sessions.part"
    blocked.mkdir(parents=True)
    with running_venue(tmp_path, engine) as venue, FixClient(venue.port, "BROKER1") as client:
        assert client.logon()["35"] == "A"
        client.nothing_more("served")
        blocked.rmdir()
        until(lambda: row(venue)["state"] == "on", "it is written once it can be")
