"""Who may come in at all: keys are asked for in the handshake (ZAP, ZeroMQ's RFC 27).

   peer ── CURVE handshake ──► ZeroMQ's input thread ── its key ──► Gatekeeper ── yes or no ─┘

A peer whose key is not allowed is cut off in its handshake: it has seen and cost nothing else.
The questions of each context are answered in the publisher's thread, between two batches of events,
a few at a time; whoever is not answered in time is cut off by ZeroMQ and comes again.
"""

from __future__ import annotations

import logging

import zmq

from touchline.control.publish.sockets import ZAP_DOMAIN, Context
from touchline.errors import TouchlineError
from touchline.marketdata.keys import AllowedKeys

ADDRESS = "inproc://zeromq.zap.01"
ANSWERS_A_TICK = 64
_FRAMES = 9  # two of the envelope, version, number, domain, address, identity, mechanism, key

log = logging.getLogger(__name__)


class Gatekeeper:
    """Answers for all contexts. `refused` counts the handshakes that got a no."""

    def __init__(self, contexts: list[Context], allowed: AllowedKeys) -> None:
        self.refused = 0
        self.allowed = allowed
        self._left = ANSWERS_A_TICK
        self._doors = []
        for context in contexts:
            door = context.socket(zmq.ROUTER)
            door.linger = 0
            door.bind(ADDRESS)
            self._doors.append(door)

    def tick(self) -> None:
        """A twentieth of a second has gone by."""
        self._left = ANSWERS_A_TICK

    def turn(self) -> None:
        """Answer who asks, as many as this tick still allows."""
        for door in self._doors:
            while self._left:
                try:
                    frames = door.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    break
                self._left -= 1
                door.send_multipart(self._answer(frames))

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        name = None
        if len(frames) == _FRAMES and frames[4] == ZAP_DOMAIN and frames[7] == b"CURVE":
            name = self.allowed.names.get(frames[8])
        envelope = [*frames[:2], b"1.0", frames[3]]
        if name is None:
            self.refused += 1
            return [*envelope, b"400", b"this key is not allowed", b"", b""]
        return [*envelope, b"200", b"", name.encode(), b""]

    def refresh(self) -> bool:
        """Look for a change of the allowed keys. True when one is allowed no longer."""
        try:
            return self.allowed.refresh()
        except TouchlineError as error:
            log.error("allowed keys stay as they were", extra={"facts": {"error": str(error)}})
            return False
