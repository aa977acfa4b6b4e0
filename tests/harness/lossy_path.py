"""A network between two programs: what one port is sent comes out at another, with faults."""

from __future__ import annotations

import random
import select
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Faults:
    """Shares of datagrams that are lost, doubled, cut, or come late (behind later ones)."""

    lost: float = 0.0
    doubled: float = 0.0
    cut: float = 0.0
    late: float = 0.0


class LossyPath:
    """`ways` are pairs of ports of this machine, from which and to which; a thread of its own."""

    def __init__(self, ways: list[tuple[int, int]], faults: Faults, seed: int) -> None:
        self._faults = faults
        self._random = random.Random(seed)
        self._held: list[tuple[bytes, tuple[str, int]]] = []
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._to = {}
        for at, to in ways:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            made.bind(("127.0.0.1", at))
            self._to[made] = ("127.0.0.1", to)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.passed = self.spoilt = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        for one in (*self._to, self._out):
            one.close()

    def _run(self) -> None:
        while not self._over.is_set():
            ready, _, _ = select.select(list(self._to), [], [], 0.02)
            for one in ready:
                self._pass(one.recv(65536), self._to[one])
            if not ready:
                self._release(0.0)

    def _pass(self, data: bytes, to: tuple[str, int]) -> None:
        chance, faults = self._random.random, self._faults
        self.passed += 1
        if chance() < faults.lost:
            self.spoilt += 1
            return
        if chance() < faults.cut:
            self.spoilt += 1
            data = data[: self._random.randrange(len(data))]
        if chance() < faults.late:
            self.spoilt += 1
            self._held.append((data, to))
            return
        self._out.sendto(data, to)
        if chance() < faults.doubled:
            self._out.sendto(data, to)
        self._release(0.7)

    def _release(self, stay: float) -> None:
        kept = []
        for data, to in self._held:
            if self._random.random() < stay:
                kept.append((data, to))
            else:
                self._out.sendto(data, to)
        self._held = kept
