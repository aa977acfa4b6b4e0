"""Market data and order flow for studies: files of others, books from them, seeded flows.

    from touchline.data import Books, read_itch

Market data: docs/data.md. Flows, tables of the engine's records, the captured history:
docs/quants.md.
"""

from touchline.data.databento import read_databento
from touchline.data.itch import read_itch
from touchline.data.lobster import read_lobster, read_lobster_book
from touchline.data.market_frames import to_frame
from touchline.data.reader import Reader
from touchline.data.tables import read_csv, read_parquet
from touchline.study.books import DEPTH, PRINT, QUOTE, RESTING, Books, BooksCounts
from touchline.study.market_record import PRICE_SCALE, RECORD, RecordFlag, RecordType

__all__ = [
    "DEPTH",
    "PRICE_SCALE",
    "PRINT",
    "QUOTE",
    "RECORD",
    "RESTING",
    "Books",
    "BooksCounts",
    "Reader",
    "RecordFlag",
    "RecordType",
    "read_csv",
    "read_databento",
    "read_itch",
    "read_lobster",
    "read_lobster_book",
    "read_parquet",
    "to_frame",
]
