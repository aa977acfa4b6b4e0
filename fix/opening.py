"""What a gateway of either engine does first: find the running venue, and have its lane empty."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from touchline.core.messages import COMMAND, ExecType, MsgType
from touchline.runtime.bus import Bus, Lane

WATCH_S = 0.1
ENGINE_WAIT_S = 30.0


def running_bus(path: Path, stop: threading.Event) -> Bus:
    """The venue's bus, once its engine runs; OSError when that takes too long."""
    reason = "there is none"
    for _ in range(int(ENGINE_WAIT_S / WATCH_S)):
        try:
            bus = Bus.attach(str(path))
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            status = bus.status()
            if status["state"] == "running" and status["alive"]:
                return bus
            reason = f"the engine is {status['state']} {status['error']}".rstrip()
            bus.close()
        if stop.wait(WATCH_S):
            break
    raise OSError(f"no running engine on {path}: {reason}")


def drain(bus: Bus, lane: Lane) -> None:
    """Wait until all that an earlier gateway left in the lane has reached the journal."""
    command = np.zeros(1, COMMAND)
    command["type"] = MsgType.CHECKPOINT
    command["cl_ord_id"] = mine = lane.cl_ord_ids()
    reader = bus.events()
    lane.send(command)
    for _ in range(int(ENGINE_WAIT_S)):
        reader.wait(1.0)
        events = reader.read()
        if np.any((events["exec_type"] == ExecType.CHECKPOINT) & (events["cl_ord_id"] == mine)):
            return
    raise TimeoutError("the engine does not answer")
