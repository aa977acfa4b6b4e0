"""A journal of one segment with its stamps moved, and checksums that are right."""

from pathlib import Path

import numpy as np

from touchline.core.messages import COMMAND

HEADER_BYTES = 4096
CASTAGNOLI = 0x82F63B78


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CASTAGNOLI if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def move_stamps(journal_dir: Path, by_ns: int) -> None:
    """As if the host's clock had been ahead by so much when the venue ran."""
    (segment,) = journal_dir.glob("*.tlj")
    rows = np.memmap(segment, COMMAND, "r+", HEADER_BYTES)
    for at in np.flatnonzero(rows["seq"]):
        rows["ts_ns"][at] += by_ns
        rows["checksum"][at] = 0
        rows["checksum"][at] = _crc32c(rows[at].tobytes())
    rows.flush()
