"""Whether the system's clock is kept by somebody, and how wrong it may be: adjtimex(2), which asks.

Events carry this clock's time, and brokers compare it with theirs.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from touchline.control.doctor.check import Check, Found, Mend, check
from touchline.control.doctor.machine import Machine

ERROR_MAX_US = 1_000_000  # the kernel's bound, which grows between corrections; not the error
_TIME_ERROR = 5  # what adjtimex answers when the clock is not synchronised
_STA_UNSYNC = 0x0040


class _Timex(ctypes.Structure):
    """struct timex as far as it is read, and room for all of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


@dataclass(frozen=True)
class ClockState:
    """What the kernel says of its clock; errors in microseconds."""

    synchronised: bool
    max_error_us: int
    estimated_error_us: int


def clock_state() -> ClockState | None:
    """The kernel's word on its clock; None when it does not tell."""
    timex = _Timex()
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if answer < 0:
        return None
    kept = answer != _TIME_ERROR and not timex.status & _STA_UNSYNC
    return ClockState(kept, int(timex.maxerror), int(timex.esterror))


def judged(state: ClockState | None, *, virtual: bool) -> Found:
    """A clock that nobody keeps, or that may be too wrong, is told with what mends it."""
    if state is None:
        return Found("not told", None, "the kernel does not answer adjtimex here")
    why = "every event carries this clock's time, which brokers compare with theirs"
    mend = (Mend("shell", "sudo apt-get install chrony && sudo systemctl enable --now chrony"),)
    if not state.synchronised:
        why += "; in a container the host keeps it, and may not say so" if virtual else ""
        return Found("kept by nobody", False, why, mend)
    value = f"synchronised, wrong by {state.max_error_us} us at most"
    return Found(value, state.max_error_us <= ERROR_MAX_US, why, mend)


@check("clock", "synchronised")
def synchronised(machine: Machine) -> Found:
    if not machine.here:
        return Found("not told", None, "these are the files of another machine")
    return judged(clock_state(), virtual=bool(machine.virtual()))


def checks(machine: Machine) -> list[Check]:
    """All checks of this file, in the order shown."""
    return [synchronised(machine)]
