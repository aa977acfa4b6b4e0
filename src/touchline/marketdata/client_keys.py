"""A subscriber's side of encrypted market data: its keys, and how it learns that it is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from touchline.errors import TouchlineError
from touchline.marketdata.keys import Pair, load_pair, public_key

Socket = zmq.Socket[Any]
EVENTS_A_LOOK = 64
EVENTS_MAX = 64  # waiting to be looked at


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a socket needs to speak to a venue that asks for keys."""

    own: Pair
    server: str

    @classmethod
    def of(cls, key: str | Path | None, server_key: str | Path | None) -> ClientKeys | None:
        """The keys in these files; None without either. Raises TypeError for one alone."""
        if key is None and server_key is None:
            return None
        if key is None or server_key is None:
            raise TypeError("key and server_key belong together: give both or neither")
        return cls(load_pair(key), public_key(server_key))

    def apply(self, socket: Socket) -> None:
        """Let a socket that is not connected yet speak with these keys."""
        socket.curve_publickey = self.own.public.encode()
        socket.curve_secretkey = self.own.secret.encode()
        socket.curve_serverkey = self.server.encode()


class Refusals:
    """Hears of handshakes that failed, so that nobody waits for what will never come."""

    def __init__(
        self, context: zmq.Context[Any], sockets: Sequence[Socket], keys: ClientKeys | None
    ) -> None:
        self.sockets: list[Socket] = []
        self._key = keys.own.public if keys is not None else None
        for number, socket in enumerate(sockets):
            address = f"inproc://refusals-{number}"
            socket.monitor(
                address, zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            )
            listener = context.socket(zmq.PAIR)
            listener.linger = 0
            listener.rcvhwm = EVENTS_MAX
            listener.connect(address)
            self.sockets.append(listener)

    def look(self) -> None:
        """Raises TouchlineError when the venue has refused the key, or speaks otherwise."""
        for listener in self.sockets:
            for _ in range(EVENTS_A_LOOK):
                try:
                    event = parse_monitor_message(listener.recv_multipart(zmq.DONTWAIT))
                except zmq.Again:
                    break
                self._refuse(event)

    def poll(self, socket: Socket, timeout_ms: int) -> bool:
        """Wait for a message, or for a refusal, which is raised."""
        poller = zmq.Poller()
        for one in (socket, *self.sockets):
            poller.register(one, zmq.POLLIN)
        found = dict(poller.poll(timeout_ms))
        if socket not in found:
            self.look()
        return socket in found

    def _refuse(self, event: Mapping[str, Any]) -> None:
        where = event["endpoint"].decode("utf-8", "replace")
        if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            raise TouchlineError(
                f"{where} does not allow the key {self._key}; its operator can, with "
                f"`touchline keys allow NAME {self._key}`"
            )
        if self._key is None:
            raise TouchlineError(f"{where} asks for keys: give key and server_key")
        raise TouchlineError(f"{where} does not ask for keys, or is none of ours")
