"""The two 64-byte records as plain Python values, for the reference and the scenarios.

Command and Event have the fields of ext/touchline/core/messages.h and become the same bytes.
"""

from dataclasses import dataclass, fields
from struct import Struct

COMMAND_BYTES = Struct("<QqQQqqIIHBBBBBB")
EVENT_BYTES = Struct("<QqQQqqIIHBBBBBB")


@dataclass(frozen=True)
class Command:
    seq: int = 0
    ts_ns: int = 0
    order_id: int = 0
    cl_ord_id: int = 0
    price: int = 0
    qty: int = 0
    account: int = 0
    checksum: int = 0
    instrument: int = 0
    ord_type: int = 0
    time_in_force: int = 0
    type: int = 0
    side: int = 0
    field: int = 0
    flags: int = 0

    def __bytes__(self) -> bytes:
        return COMMAND_BYTES.pack(*(getattr(self, field.name) for field in fields(self)))

    @classmethod
    def of(cls, packed: bytes) -> "Command":
        return cls(*COMMAND_BYTES.unpack(packed))


@dataclass(frozen=True)
class Event:
    """`cl_ord_id` shares its bytes with `contra_order_id`, `price` with `value`, and `qty` with
    `leaves_qty` theirs with `limit`: an event sets one or the other."""

    seq: int
    ts_ns: int
    exec_type: int
    order_id: int = 0
    cl_ord_id: int = 0
    contra_order_id: int = 0
    price: int = 0
    value: int = 0
    qty: int = 0
    leaves_qty: int = 0
    limit: int = 0
    account: int = 0
    contra_account: int = 0
    instrument: int = 0
    ord_type: int = 0
    time_in_force: int = 0
    side: int = 0
    reason: int = 0
    flags: int = 0

    def __bytes__(self) -> bytes:
        assert not (self.cl_ord_id and self.contra_order_id)
        assert not (self.price and self.value)
        assert not (self.limit and (self.qty or self.leaves_qty))
        return EVENT_BYTES.pack(
            self.seq,
            self.ts_ns,
            self.order_id,
            self.cl_ord_id or self.contra_order_id,
            self.price or self.value,
            self.limit or (self.leaves_qty << 32 | self.qty),
            self.account,
            self.contra_account,
            self.instrument,
            self.ord_type,
            self.time_in_force,
            self.exec_type,
            self.side,
            self.reason,
            self.flags,
        )
