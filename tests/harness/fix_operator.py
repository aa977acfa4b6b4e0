"""What scripts have the operator of a venue do: `O halt|55=S01`, `O news|56=BROKER1|148=words`.

The engine is paused by a signal, so that what is sent to it waits and the order of what follows is
the script's to say.
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from harness.fix_venue import PartsVenue
from harness.waiting import DEADLINE_S, until
from touchline.control.supervisor.admin import Admin
from touchline.core.messages import SelfTrade, TradingStatus
from touchline.fix.operators import ask
from touchline.runtime.bus import Bus


def operate(venue: PartsVenue, what: str, fields: Mapping[str, str]) -> None:
    """Do it, and return when it is done."""
    config = venue.config
    if what == "news":
        said = {"headline": fields["148"], "lines": [fields["58"]] if "58" in fields else []}
        ask(config.fix_dir, {"ask": "news", "sessions": [fields["56"]]} | said, DEADLINE_S)
    elif what in ("halt", "resume"):
        with Admin(config) as admin:
            (admin.halt if what == "halt" else admin.resume)(fields["55"])
    elif what == "phase":
        with Admin(config) as admin:
            admin.phase(fields["55"], TradingStatus[fields["326"]])
    elif what == "self-trade":
        (account,) = (s.accounts[0] for s in config.sessions if s.comp_id == fields["49"])
        with Admin(config) as admin:
            admin.self_trade(account, SelfTrade[fields["2964"]])
    elif what == "end-of-day":
        with Admin(config) as admin:
            admin.mass_cancel(end_of_day=True)
    elif what in ("pause", "continue"):
        with Bus.attach(str(config.bus_path)) as bus:
            pid = bus.status()["pid"]
        os.kill(pid, signal.SIGSTOP if what == "pause" else signal.SIGCONT)
        if what == "pause":
            until(lambda: stands_still(pid), "the engine is paused")
    else:
        raise ValueError(f"no operator does {what}")


def stands_still(pid: int) -> bool:
    """Whether the signal has reached every thread."""
    states = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state.rpartition(")")[2].split()[0] == "T" for state in states)
