"""The package's own broker's connection, to a venue of the tests."""

import socket
import ssl
import struct

from touchline.fix.client import SOH, TIMEOUT_S, Closed, Connection, Message, framed, utc_now

__all__ = ["SOH", "TIMEOUT_S", "VENUE", "Closed", "FixClient", "Message", "framed", "utc_now"]

VENUE = "TOUCHLINE"


class FixClient(Connection):
    """One connection to this machine."""

    def __init__(
        self,
        port: int,
        comp_id: str,
        begin_string: str = "FIX.4.4",
        tls: ssl.SSLContext | None = None,
        source: str = "127.0.0.1",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__(
            ("127.0.0.1", port),
            (comp_id, VENUE),
            begin_string,
            tls,
            "localhost",
            source,
            timeout_s,
        )

    def reset(self) -> None:
        """Close at once: what the venue has not read yet is thrown away."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def expect(self, **fields: str) -> Message:
        """The next message that is no heartbeat, which must have these: `_35="8"`."""
        message = self.application()
        wanted = {tag.removeprefix("_"): value for tag, value in fields.items()}
        found = {tag: message.get(tag) for tag in wanted}
        assert found == wanted, message
        return message
