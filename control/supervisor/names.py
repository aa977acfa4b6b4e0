"""The names that events go by downstream, as the journal tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from touchline.instruments import Instrument
from touchline.runtime.directory import Directory


@dataclass(frozen=True)
class Names:
    """Instruments and account names by number."""

    instruments: Mapping[int, Instrument] = field(default_factory=dict)
    accounts: Mapping[int, str] = field(default_factory=dict)


def read_names(journal_dir: Path) -> Names:
    """All names in the journal at this moment."""
    directory = Directory.read(journal_dir)
    return Names(directory.instruments(), directory.accounts)
