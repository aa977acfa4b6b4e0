"""Attacks by a broker who is logged on: on the parser, on the memory, on everybody's time."""

import threading
from collections.abc import Callable

from attacks.target import SOH, Target, answer, answers, drained, hung_up_on, order
from harness.fix_client import framed, utc_now

GAP = 20000
DATA_FIELDS = {
    "354": "355",
    "90": "91",
    "93": "89",
    "348": "349",
    "350": "351",
    "352": "353",
    "364": "365",
    "212": "213",
    "95": "96",
}


def data_length(value: str, *tags: str) -> Callable[[Target], None]:
    """Orders whose data fields have a length that is not so."""

    def run(target: Target) -> None:
        while target.going():
            for tag in tags or tuple(DATA_FIELDS):
                with hung_up_on(), target.logged_on() as client:
                    fields = (f"{tag}={value}", f"{DATA_FIELDS[tag]}=x")
                    if answer(client, "D", *order(f"len{tag}"), *fields).get("150") == "0":
                        target.fault(f"{tag}={value} was taken")
            target.wait(0.1)

    return run


def far_gap(target: Target) -> None:
    """Twenty thousand messages behind a gap, and then the one that was missing."""
    with hung_up_on(), target.logged_on() as client:
        missing = client.next_seq
        client.next_seq += 1
        asking = ("11=none", "55=S05", "54=1")
        client.send_bytes(b"".join(client.message("H", *asking) for _ in range(GAP)))
        client.send("H", *asking, seq=missing)
        answers(client, "freed")
    while target.going():
        target.wait(0.1)


def resends(reading: bool) -> Callable[[Target], None]:
    """A session with ten thousand reports asks for all of them, five times at once."""

    def run(target: Target) -> None:
        read_on = threading.Event()
        read_on.set()
        with hung_up_on(), target.logged_on() as client:
            thread = drained(client, read_on.is_set)
            for start in range(0, 10000, 250):
                numbers = range(start, start + 250)
                batch = [client.message("D", *order(f"r{n}", price="1.01")) for n in numbers]
                client.send_bytes(b"".join(batch))
            if not reading:
                read_on.clear()
            for _ in range(5):
                client.send("2", "7=1", "16=0")
            while target.going():
                target.wait(0.1)
            read_on.clear()
            thread.join(0.1)

    return run


def million_parties(target: Target) -> None:
    """An order of 24 MB with a million parties."""
    parties = "".join(f"448=P{n}{SOH}447=D{SOH}452=1{SOH}" for n in range(1_000_000))
    while target.going():
        with hung_up_on(), target.logged_on() as client:
            head = SOH.join(
                ("35=D", f"34={client.next_seq}", "49=ATTACKER", "56=TOUCHLINE", f"52={utc_now()}")
            )
            body = SOH.join((head, *order("parties"), "453=1000000")) + SOH + parties
            client.send_bytes(framed("FIX.4.4", body))
            client.next_seq += 1
            if any(message.get("150") == "0" for message in answers(client, "after")):
                target.fault("an order of 24 MB was taken")
        target.wait(0.2)


def endless_message(length: str) -> Callable[[Target], None]:
    """A message that never ends: its BodyLength(9) says it is still to come."""

    def run(target: Target) -> None:
        with hung_up_on(), target.logged_on() as client:
            client.send_bytes(f"8=FIX.4.4\x019={length}\x0135=D\x0158=".encode())
            sent = 0
            while target.going() and sent < 1 << 29:
                client.send_bytes(b"x" * 65536)
                sent += 65536
            target.notes.append(f"{sent >> 20} MB sent")
        while target.going():
            target.wait(0.1)

    return run


def rejects_for_rejects(target: Target) -> None:
    """A peer that answers every BusinessMessageReject(j) with another."""
    echoed = 0
    with hung_up_on(), target.logged_on() as client:
        client.send("j", "45=1", "372=D", "380=0", "58=no")
        while target.going() and echoed < 5000:
            client.send("1", "112=mark")
            message = client.receive()
            while message.get("112") != "mark":
                if message["35"] in "j3":
                    echoed += 1
                    client.send("j", f"45={message['34']}", "372=j", "380=0", "58=no")
                message = client.receive()
            if not echoed:
                break
    if echoed > 1:
        target.fault(f"{echoed} j were answered by j")
    while target.going():
        target.wait(0.1)


def order_within_data(target: Target) -> None:
    """XmlData(213) with fields in it that look like another order's."""
    inner = SOH.join(("<F>", "38=70", "44=9.95", "54=2", "11=INNER", "</F>"))
    with hung_up_on(), target.logged_on() as client:
        fields = (f"212={len(inner)}", f"213={inner}", *order("OUTER", qty="50"))
        client.send("D", *fields)
        taken = client.application()
        found = [taken.get(tag) for tag in ("11", "54", "38", "44")]
        if taken.get("150") == "0" and found != ["OUTER", "1", "50", "1.00"]:
            target.fault(f"the order taken is {found}")
        if answer(client, "H", "11=INNER", "55=S05", "54=2").get("39") == "0":
            target.fault("an order was entered from within a data field")
    while target.going():
        target.wait(0.1)


OVERLOOKED = {
    "MaxShow": ("210=10",),
    "ExecInst 6": ("18=6",),
    "ExecInst G": ("18=G",),
    "DiscretionInst": ("388=0", "389=0.1"),
    "PriceType": ("423=1",),
    "SecurityID": ("48=S06", "22=8"),
    "TradingSessionID": ("386=1", "336=NIGHT"),
}


def overlooked_fields(target: Target) -> None:
    """Fields that change what an order means: refused, or the report says that it was read."""
    with hung_up_on(), target.logged_on() as client:
        for number, (name, fields) in enumerate(OVERLOOKED.items()):
            found = answer(client, "D", *order(f"o{number}"), *fields)
            told = [f"{tag}={found.get(tag)}" for tag in (one.split("=")[0] for one in fields)]
            if not found or (found.get("150") == "0" and told != list(fields)):
                target.fault(f"{name} was overlooked" if found else f"{name}: no answer")
    while target.going():
        target.wait(0.1)


def crossing_burst(target: Target) -> None:
    """Twenty thousand orders that trade with each other, sent at once by one session."""
    with hung_up_on(), target.logged_on() as client:
        reading = drained(client, target.going)
        burst = bytearray()
        for number in range(20000):
            side = "12"[number % 2]
            burst += client.message("D", *order(f"x{number}", side))
        client.send_bytes(bytes(burst))
        while target.going():
            target.wait(0.1)
        reading.join(1.0)


def slow_reader(target: Target) -> None:
    """A session that asks and never reads what it is told."""
    with hung_up_on(), target.logged_on() as client:
        number = 0
        while target.going():
            client.send("H", f"11=none{number}", "55=S05", "54=1")
            number += 1
