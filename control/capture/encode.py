"""A table of events as the bytes of a Parquet file, and back.

Numbers that grow are stored as differences. Row groups have statistics, and a Bloom filter of the
order ids, which come from a pool and so lie anywhere between the smallest and the largest: whoever
looks for one order reads the few row groups that may hold it. Every page has a checksum.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from touchline.control.capture.table import METADATA_KEY
from touchline.data.captured_columns import COLUMNS
from touchline.errors import TouchlineError

ROW_GROUP = 131_072
COMPRESSED_ROWS = 512  # fewer are mostly headers: zstd would take half of the time for nothing
_GROWING = ("seq", "ts_ns", "transact_time")
_LOOKED_UP = ("order_id", "contra_order_id")
_WRONG_FINDS = 0.05
_DISTINCT = {*_GROWING, *_LOOKED_UP, "cl_ord_id"}
_DICTIONARIES = [name for name, _, _ in COLUMNS if name not in _DISTINCT]


def encode(rows: pa.Table) -> pa.Buffer:
    """The whole file of these rows."""
    sink = pa.BufferOutputStream()
    filters = {name: {"ndv": min(len(rows), ROW_GROUP), "fpp": _WRONG_FINDS} for name in _LOOKED_UP}
    pq.write_table(
        rows,
        sink,
        compression="zstd" if len(rows) >= COMPRESSED_ROWS else "none",
        row_group_size=ROW_GROUP,
        use_dictionary=_DICTIONARIES,
        column_encoding=dict.fromkeys(_GROWING, "DELTA_BINARY_PACKED"),
        bloom_filter_options=filters,
        sorting_columns=[pq.SortingColumn(0)],
        write_page_checksum=True,
    )
    return sink.getvalue()


def decode(path: Path, first_seq: int, last_seq: int) -> pa.Table:
    """The rows of a file; TouchlineError when a page is damaged or the events are others."""
    try:
        rows = pq.ParquetFile(path, page_checksum_verification=True).read()
    except (OSError, pa.ArrowException) as error:
        raise TouchlineError(f"{path}: cannot be read: {error}") from error
    wanted = np.arange(first_seq, last_seq + 1)
    if "seq" not in rows.column_names or not np.array_equal(rows["seq"].to_numpy(), wanted):
        raise TouchlineError(f"{path}: does not hold events {first_seq} to {last_seq}")
    return rows


def layout_of(path: Path) -> int | None:
    """The version of a file's layout; None when that cannot be read."""
    try:
        told = json.loads((pq.read_schema(path).metadata or {})[METADATA_KEY])
        return int(told["version"])
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return None
