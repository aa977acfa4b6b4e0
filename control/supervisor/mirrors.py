"""A mirror of every book, for a part that follows the events: the publisher, the capture."""

from __future__ import annotations

from pathlib import Path

from touchline.marketdata.mirror import Mirror
from touchline.runtime.journal import JournalReader


def mirror_of(journal_dir: Path) -> Mirror:
    """An empty mirror as large as the engine whose journal this is has become.

    Raises FileNotFoundError when there is no journal, JournalCorrupt when it is damaged.
    """
    with JournalReader(journal_dir) as journal:
        sizes = journal.newest_capacities
    return Mirror(
        instruments_max=sizes.instruments_max,
        orders_max=sizes.orders_max,
        price_blocks_max=sizes.price_blocks_max,
    )
