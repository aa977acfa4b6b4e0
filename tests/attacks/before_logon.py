"""Attacks by somebody without a password who knows the CompID of a session."""

import contextlib
import socket
from collections.abc import Callable

from attacks.honest import TRADERS
from attacks.target import SOH, VICTIM, Target, ended, hung_up_on, logon
from harness.fix_client import framed, utc_now

LENGTHS_OF_RAW_DATA = {
    "1000000000": ("95=1000000000", "96=x"),
    "-5": ("95=-5", "96=x"),
    "xml -1": ("212=-1", "213=x"),
}


def raw_data(length: str) -> Callable[[Target], None]:
    """A Logon whose data field has a length that is not so, again and again."""

    def run(target: Target) -> None:
        while target.going():
            with hung_up_on(), contextlib.closing(target.connect()) as connection:
                connection.sendall(logon(*LENGTHS_OF_RAW_DATA[length]))
                target.wait(0.05)

    return run


def disguised_reset(target: Target) -> None:
    """ResetSeqNumFlag(141) where one who looks for it does not find it, and a wrong password."""
    disguises = (
        ("0141=Y", "554=wrong"),
        ("95=7", f"96=a{SOH}141=N", "141=Y", "554=wrong"),
        ("141=N", "141=Y", "554=wrong"),
    )
    while target.going():
        for fields in disguises:
            with hung_up_on(), contextlib.closing(target.connect()) as connection:
                connection.sendall(logon(*fields))
                if not ended(connection):
                    target.fault(f"a Logon with {fields} is neither let in nor refused")
        target.wait(0.05)


HALF_GOOD = (
    logon("999=1"),
    logon("141=y"),
    logon("58="),
    logon("98=0"),
    logon("98=0", usual=False),
    logon("999=1", "554=secret"),
)


def half_good_logon(target: Target) -> None:
    """Logons that are not well formed, held open: the broker must get in all the same."""
    for message in HALF_GOOD:
        with hung_up_on():
            target.connect().sendall(message)
    while target.going():
        target.wait(0.2)


def sequence_reset_before_logon(target: Target) -> None:
    """A Logon that is not well formed, then a SequenceReset and a broken message behind it."""
    header = (f"49={VICTIM}", "56=TOUCHLINE", f"52={utc_now()}")
    reset = framed("FIX.4.4", SOH.join(("35=4", "34=2", *header, "123=N", "36=1000000")) + SOH)
    broken = framed("FIX.4.4", SOH.join(("35=D", "34=2", *header, "11=x")) + SOH)
    for message in HALF_GOOD:
        for behind in (reset, broken):
            with hung_up_on(), contextlib.closing(target.connect()) as connection:
                connection.sendall(message)
                target.wait(0.05)
                connection.sendall(behind)
                target.wait(0.05)
                connection.sendall(reset)
                target.wait(0.05)
    while target.going():
        target.wait(0.2)


def trickle(target: Target) -> None:
    """Forty connections that send a Logon at a byte a second; new ones for those that are lost."""
    message = logon("554=wrong")
    connections: list[tuple[socket.socket, int]] = []
    while target.going():
        while len(connections) < 40:
            connections.append((target.connect(), 0))
        still = []
        for connection, at in connections:
            with hung_up_on():
                connection.setblocking(False)
                connection.send(message[at : at + 1])
                still.append((connection, at + 1))
        connections = still
        target.wait(1.0)


def logons_of_a_live_session(target: Target) -> None:
    """Two hundred Logons a second of a CompID that is logged on."""
    message = logon("141=Y", comp_id=TRADERS[0][0])
    while target.going():
        with hung_up_on():
            target.connect().sendall(message)
        target.wait(0.005)


def guesses(target: Target) -> None:
    """Passwords guessed as fast as they are refused, by four at once."""
    tried = 0
    while target.going():
        guessing = []
        for _ in range(4):
            with hung_up_on():
                connection = target.connect()
                connection.sendall(logon(f"554=guess{tried}"))
                guessing.append(connection)
                tried += 1
        for connection in guessing:
            with hung_up_on():
                connection.settimeout(5.0)
                if b"\x0135=A\x01" in connection.recv(4096):
                    target.fault("a wrong password was let in")
            connection.close()
    target.notes.append(f"{tried} guesses")


def silence(target: Target) -> None:
    """Forty-eight connections that say nothing, renewed when they are closed."""
    silent: list[socket.socket] = []
    while target.going():
        while len(silent) < 48:
            with hung_up_on():
                silent.append(target.connect())
        still = []
        for connection in silent:
            connection.setblocking(False)
            try:
                alive = connection.recv(1) != b""
            except BlockingIOError:
                alive = True
            except OSError:
                alive = False
            still += [connection] if alive else []
        silent = still
        target.wait(0.02)


def endless_logon(target: Target) -> None:
    """A Logon without an end, and one whose BodyLength(9) is two thousand million."""
    starts = (b"8=FIX.4.4\x019=2147483647\x0135=A\x01", b"8=FIX.4.4\x019=100\x0135=A\x0158=")
    while target.going():
        for start in starts:
            with hung_up_on(), contextlib.closing(target.connect()) as connection:
                connection.sendall(start)
                for _ in range(200):
                    if target.going():
                        connection.sendall(b"x" * 65536)
