"""Snapshots of an engine made to say something else, with a checksum that is right."""

import struct

from reference.state import mix


def with_net(snapshot: bytes, account: int, old: int, new: int) -> bytes:
    """The account's net position in instrument 0 is `new` instead of `old`."""
    where = snapshot.index(struct.pack("<IIq", account, 0, old)) + 8
    body = snapshot[:where] + struct.pack("<q", new) + snapshot[where + 8 : -8]
    words = struct.unpack(f"<{len(body) // 8}Q", body)
    return body + struct.pack("<Q", mix(words[0], *words))
