"""Attacks on a session's own rules: gaps, large numbers, resets, clocks, descriptors, power."""

from attacks.target import ATTACKER, SOURCE, Target, answer, answers, hung_up_on, order
from harness.fix_client import Closed, FixClient, Message, utc_now


def idle(target: Target) -> None:
    while target.going():
        target.wait(0.1)


def gap_before_a_logout(target: Target) -> None:
    """Messages that are lost, then a Logout, then a Logon: the gap must be asked for."""
    with target.logged_on() as client:
        gap = client.next_seq
        client.next_seq += 2
        client.send("5")
        asked = [m for m in everything(client) if m.get("35") == "2"]
        after = client.next_seq
    with target.client() as client:
        client.next_seq = after
        client.logon(reset=False)
        asked += [m for m in answers(client, "mark") if m.get("35") == "2"]
    if not [m for m in asked if m["7"] == str(gap)]:
        target.fault(f"numbers {gap} and {gap + 1} were lost and never asked for")
    idle(target)


def everything(client: FixClient) -> list[Message]:
    """What comes until the venue hangs up or has logged out."""
    found: list[Message] = []
    try:
        while not found or found[-1]["35"] != "5":
            found.append(client.receive())
    except (OSError, Closed):
        pass
    return found


def large_numbers(target: Target) -> None:
    """MsgSeqNum above 2^31, and a gap there."""
    with target.logged_on() as client:
        client.send("4", "123=N", "36=3000000000")
        client.next_seq = 3000000000
        taken = answer(client, "D", *order("large"))
        if taken.get("150") != "0":
            target.fault(f"an order with number 3000000000 was answered by {taken}")
        client.send("1", "112=there")
        while client.receive().get("112") != "there":
            pass
        client.send("0", seq=client.next_seq + 5)
        asked = client.application().get("7")
        if asked != str(client.next_seq):
            target.fault(f"a gap at {client.next_seq} was asked for as {asked}")
    idle(target)


def reset_with_a_number(target: Target) -> None:
    """ResetSeqNumFlag(141) = Y with MsgSeqNum 7."""
    with hung_up_on(), target.client() as client:
        client.next_seq = 7
        answer = client.logon()
        if answer["35"] != "A":
            return
        client.send("1", "112=mark")
        told = client.receive()
        target.fault(f"141=Y with 34=7 was taken, and 34=8 answered by 35={told['35']}")


def encryption(target: Target) -> None:
    """EncryptMethod(98) = 2, which nobody offers."""
    with hung_up_on(), target.client() as client:
        client.send("A", "98=2", "108=30", "141=Y")
        if client.receive()["35"] == "A":
            target.fault("EncryptMethod 2 was accepted")


def backward_resend(target: Target) -> None:
    """ResendRequest for numbers that were never sent, to a number before them."""
    with hung_up_on(), target.logged_on() as client:
        client.send("2", "7=100", "16=11")
        for message in answers(client, "mark"):
            if message.get("35") == "4":
                told = {tag: message.get(tag) for tag in ("34", "36")}
                target.fault(f"ResendRequest 100..11 was answered by SequenceReset {told}")


def on_behalf_of(target: Target) -> None:
    """SenderSubID, OnBehalfOfCompID and DeliverToCompID come back the other way round."""
    with hung_up_on(), target.logged_on() as client:
        given = ("50=DESK", "115=CLIENT", "57=FLOOR", "128=OTHER")
        report = answer(client, "D", *given, *order("behalf"))
        found = [report.get(tag) for tag in ("57", "128", "50", "115")]
        if report.get("35") == "8" and found != ["DESK", "CLIENT", "FLOOR", "OTHER"]:
            target.fault(f"57, 128, 50 and 115 of the report are {found}")
    idle(target)


def status_time(target: Target) -> None:
    """The answer to an OrderStatusRequest has TransactTime(60)."""
    with hung_up_on(), target.logged_on() as client:
        answer(client, "D", *order("asked"))
        if "60" not in answer(client, "H", "11=asked", "55=S05", "54=1"):
            target.fault("a status report has no TransactTime(60)")


def impossible_values(target: Target) -> None:
    """A day that is in no calendar, a tag with a leading zero, a value that is a tag's."""
    with hung_up_on(), target.logged_on() as client:
        day = [*order("day")[:-1], "60=20260230-12:00:00"]
        if answer(client, "D", *day).get("150") == "0":
            target.fault("a 30th of February was accepted")
        client.send("D", "0011=zero", *order("zero")[1:])
        if answer(client, "H", "11=zero", "55=S05", "54=1").get("39") == "0":
            target.fault("0011= was accepted as ClOrdID(11)")


def swallowed(target: Target) -> None:
    """A broken beginning must not take the next message with it."""
    with hung_up_on(), target.logged_on() as client:
        client.send_bytes(b"8=" + client.message("D", *order("next")))
        if not answer(client, "H", "11=next", "55=S05", "54=1"):
            target.fault("the message behind 8=8= was swallowed")


def every_answer(target: Target) -> None:
    """The answers of the standard, one after the other."""
    for one in (
        reset_with_a_number,
        encryption,
        backward_resend,
        status_time,
        impossible_values,
        swallowed,
    ):
        one(target)
    idle(target)


def stepped_clock(target: Target) -> None:
    """The host's clock goes on by a minute, then back by two: heartbeats go on every second."""
    with FixClient(target.port, ATTACKER, source=SOURCE, timeout_s=4.0) as client:
        client.send("A", "98=0", "108=1", "141=Y")
        client.receive()
        for step in (60.0, -60.0):
            target.clock(step)
            try:
                for _ in range(2):
                    client.send("0")
                    if client.receive()["35"] == "1":
                        raise Closed("asked by a TestRequest before its time")
            except (OSError, Closed) as error:
                target.fault(f"clock {step:+.0f} s: {type(error).__name__} {error}")
                return
    idle(target)


class Interrupted:
    """A broker whose last orders are on their way when the power goes."""

    LAST = 50

    def __init__(self) -> None:
        self._next_seq = self._last_in = self._first = 0

    def trade(self, target: Target) -> None:
        """Orders, all answered, and then some that nobody waits for."""
        with hung_up_on(), target.logged_on() as client:
            number = 0
            while target.going():
                client.send("D", *order(f"p{number}"))
                self._last_in = int(client.receive()["34"])
                number += 1
            self._first = client.next_seq
            client.send_bytes(b"".join(self._last(client, n) for n in range(self.LAST)))
            self._next_seq = client.next_seq
        target.notes.append(f"{number} orders before the cut")

    def _last(self, client: FixClient, number: int, *flags: str, seq: int | None = None) -> bytes:
        return client.message("D", *flags, *order(f"last{number}"), seq=seq)

    def come_back(self, target: Target) -> None:
        """Log on where the numbers stood, ask for what is missing, send what is asked for."""
        waiting = {f"last{number}" for number in range(self.LAST)}
        with target.client() as client:
            client.next_seq = self._next_seq
            answer = client.logon(reset=False)
            if answer["35"] != "A" or int(answer["34"]) <= self._last_in:
                told = {tag: answer.get(tag) for tag in ("35", "34", "58")}
                target.fault(f"after {self._last_in} the Logon was answered by {told}")
                return
            client.send("2", f"7={self._last_in + 1}", "16=0")
            with hung_up_on():
                while waiting:
                    message = client.application()
                    waiting.discard(message.get("11", ""))
                    if message["35"] == "2":
                        self._send_again(client, int(message["7"]))
        if waiting:
            target.fault(f"{len(waiting)} of the last {self.LAST} orders never got their report")

    def _send_again(self, client: FixClient, first: int) -> None:
        flags = ("43=Y", f"122={utc_now()}")
        for seq in range(max(first, self._first), self._first + self.LAST):
            client.send_bytes(self._last(client, seq - self._first, *flags, seq=seq))
        fill = ("123=Y", *flags, f"36={client.next_seq}")
        client.send("4", *fill, seq=self._first + self.LAST)
