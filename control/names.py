"""The names that events go by downstream, as the journal tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from touchline.consumer import Directory
from touchline.errors import TouchlineError
from touchline.instruments import Instrument


@dataclass(frozen=True)
class Names:
    """Instruments and account names by number."""

    instruments: Mapping[int, Instrument] = field(default_factory=dict)
    accounts: Mapping[int, str] = field(default_factory=dict)


def read_names(journal_dir: Path) -> Names:
    """All names in the journal. An instrument without sizes counts in ticks of 1 and lots of 1."""
    directory = Directory.read(journal_dir)
    instruments = {
        number: Instrument(
            number,
            symbol,
            _size(directory.ticks.get(number, "1"), symbol),
            _size(directory.lots.get(number, "1"), symbol),
            directory.currencies.get(number, ""),
        )
        for number, symbol in directory.symbols.items()
    }
    return Names(instruments, dict(directory.accounts))


def _size(text: str, symbol: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise TouchlineError(
            f"{symbol}: {text!r} in the journal is not a decimal number"
        ) from error
