"""A recorded feed sent again, over UDP: MoldUDP64 on one line or two, at a speed of one's choice.

    file: BinaryFILE, pcap ─► messages ─► Sender: pace, packets ─► lines
                                             └─► answers to those who lost some

Messages are numbered from 1 as they come in the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from touchline.data.itch import ItchReader
from touchline.wire.moldudp64_sender import Sender

WAIT_S = 0.05
_END_WAITS = 3  # at the least, in which the end is told


def resend(
    reader: ItchReader, sender: Sender, *, linger_s: float = 1.0, limit: int | None = None
) -> Iterator[dict[str, int]]:
    """Send all messages of a file, and then the end of the session; the counts, again and again.

    After the last one requests are answered until none has come for `linger_s`. Raises FeedError
    where the file holds what it can not, OSError for a message that no packet holds.
    """
    for blocks in reader.messages(limit):
        view = memoryview(blocks)
        while len(view):
            view = view[sender.send(view, WAIT_S) :]
            yield sender.counts
    waits = quiet = 0
    most = max(1, round(linger_s / WAIT_S))
    asked = sender.counts["requests"]
    while waits < _END_WAITS or quiet < most:
        sender.serve(WAIT_S, ended=True)
        now = sender.counts["requests"]
        quiet = 0 if now != asked else quiet + 1
        waits, asked = waits + 1, now
        yield sender.counts
