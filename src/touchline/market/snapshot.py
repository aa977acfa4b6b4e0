"""A market as bytes: its names and sizes, its record, and its engine's state.

    MAGIC │ three lengths, u64 │ names as JSON │ record, raw events │ engine │ SHA-256 of all before

The checksum is over everything, so whatever is damaged or cut is refused before it is looked at.
Pure functions.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from touchline.core.messages import EVENT
from touchline.instruments import Instrument

MAGIC = b"TLMKT\x00\x00\x01"  # the last byte is the version
_LENGTHS = struct.Struct("<3Q")
_HEAD = len(MAGIC) + _LENGTHS.size
TS_NS_MAX = (1 << 63) - 1
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Contents:
    """What a snapshot of a market holds; `digest` names this very snapshot."""

    capacities: dict[str, int]
    ts_ns: int
    instruments: list[Instrument]
    account_names: list[str]
    record: bytes
    engine: bytes
    digest: bytes


def pack(
    capacities: dict[str, int],
    ts_ns: int,
    instruments: Iterable[Instrument],
    account_names: list[str],
    record: bytes,
    engine: bytes,
) -> tuple[bytes, bytes]:
    """The snapshot and its digest."""
    names = {
        "capacities": capacities,
        "ts_ns": ts_ns,
        "instruments": [
            {key: f"{value:f}" if key.endswith("_size") else value for key, value in row.items()}
            for row in map(asdict, instruments)
        ],
        "accounts": account_names,
    }
    header = json.dumps(names).encode()
    lengths = _LENGTHS.pack(len(header), len(record), len(engine))
    whole = b"".join((MAGIC, lengths, header, record, engine))
    digest = hashlib.sha256(whole).digest()
    return whole + digest, digest


def unpack(data: bytes) -> Contents:
    """The parts of a snapshot; ValueError when it is none, is damaged, or not all of it is there.

    TypeError for what is no bytes.
    """
    view = memoryview(data)
    if len(view) < _HEAD + _DIGEST_BYTES or view[: len(MAGIC) - 1] != MAGIC[:-1]:
        raise ValueError("not a snapshot of a market")
    if view[len(MAGIC) - 1] != MAGIC[-1]:
        raise ValueError(f"a market's snapshot of version {view[len(MAGIC) - 1]}, not {MAGIC[-1]}")
    lengths = _LENGTHS.unpack(view[len(MAGIC) : _HEAD])
    digest = hashlib.sha256(view[:-_DIGEST_BYTES]).digest()
    if _HEAD + sum(lengths) + _DIGEST_BYTES != len(view) or digest != view[-_DIGEST_BYTES:]:
        raise ValueError("a market's snapshot that is damaged, or not all of it")
    names_at, record_at = _HEAD + lengths[0], _HEAD + lengths[0] + lengths[1]
    try:
        names = json.loads(bytes(view[_HEAD:names_at]))
        contents = Contents(
            names["capacities"],
            names["ts_ns"],
            [Instrument(**row) for row in names["instruments"]],
            names["accounts"],
            bytes(view[names_at:record_at]),
            bytes(view[record_at:-_DIGEST_BYTES]),
            digest,
        )
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"a market's snapshot with names that are none: {error}") from error
    _check(contents)
    return contents


def _check(contents: Contents) -> None:
    """What a snapshot that a market made is like, whoever made this one."""
    symbols = [instrument.symbol for instrument in contents.instruments]
    for what, named in (("symbols", symbols), ("accounts", contents.account_names)):
        if not all(isinstance(name, str) and name for name in named) or len({*named}) < len(named):
            raise ValueError(f"a market's snapshot with {what} that are empty, no text or repeated")
    if [instrument.index for instrument in contents.instruments] != [*range(len(symbols))]:
        raise ValueError("a market's snapshot with instruments that are out of their order")
    if type(contents.ts_ns) is not int or not 0 <= contents.ts_ns <= TS_NS_MAX:
        raise ValueError(f"a market's snapshot with ts_ns {contents.ts_ns!r}")
    if len(contents.record) % EVENT.itemsize:
        raise ValueError("a market's snapshot with a record that is cut")
