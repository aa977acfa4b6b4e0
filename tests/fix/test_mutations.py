"""Requests with anything in any field: each is answered or ignored, and the session goes on."""

import random
from pathlib import Path

import pytest

from harness.fix_client import FixClient, Message, utc_now
from harness.fix_venue import running_venue

MESSAGES = 1500
VALUES = (
    "",
    "0",
    "-1",
    "1",
    "2",
    "3",
    "1e9",
    "1.000000001",
    "9" * 40,
    "NaN",
    "Y",
    "S00",
    "ACC1",
    "ACC5",
    "x" * 37,
    "y" * 5000,
    "\udce9\udcff",
    "\u20ac",
    "\x00",
    "a=b",
    " ",
    "=",
    "20250101-00:00:00",
)
TAGS = (1, 11, 15, 18, 21, 22, 37, 38, 40, 41, 44, 48, 54, 55, 58, 59, 60, 99, 110, 126, 453, 9999)


def usual(msg_type: str, number: int) -> dict[int, str]:
    fields = {11: f"m{number}", 55: "S00", 54: "1", 60: utc_now()}
    if msg_type in "FG":
        fields[41] = f"m{max(0, number - 3)}"
    if msg_type in "DG":
        fields |= {21: "1", 38: "10", 40: "2", 44: "1.00"}
    return fields


def mutated(chance: random.Random, number: int) -> tuple[str, list[str]]:
    """A request with up to three fields changed, added, taken away or doubled."""
    msg_type = chance.choice("DDDFGH")
    fields = list(usual(msg_type, number).items())
    for _ in range(chance.randrange(4)):
        tag, value = chance.choice(TAGS), chance.choice(VALUES)
        at = chance.randrange(len(fields) + 1)
        change = chance.randrange(3)
        if change == 0:
            fields.insert(at, (tag, value))
        elif change == 1 and at < len(fields):
            fields[at] = (fields[at][0], value)
        elif at < len(fields) > 1:
            del fields[at]
    return msg_type, [f"{tag}={value}" for tag, value in fields]


@pytest.mark.parametrize(("comp_id", "begin_string"), [("BROKER1", "FIX.4.4"), ("OLD1", "FIX.4.2")])
def test_no_request_wedges_the_gateway(
    tmp_path: Path, engine: str, seed: int, comp_id: str, begin_string: str
) -> None:
    chance = random.Random(seed)
    with (
        running_venue(tmp_path, engine) as venue,
        FixClient(venue.port, comp_id, begin_string) as client,
    ):
        client.logon()
        answers: list[Message] = []
        for number in range(MESSAGES):
            msg_type, fields = mutated(chance, number)
            seq = client.next_seq
            client.send(msg_type, *fields)
            client.send("1", f"112=after{seq}")
            while (message := client.receive()).get("112") != f"after{seq}":
                assert message["35"] in "389j", message
                answers.append(message)
        kinds = {message["35"] for message in answers}
        assert kinds == {"3", "8", "9", "j"}
        assert not [m for m in answers if m["35"] == "j" and m["380"] == "0"]
        client.send("D", *(f"{tag}={value}" for tag, value in usual("D", MESSAGES).items()))
        while (message := client.application()).get("11") != f"m{MESSAGES}":
            pass
        assert (message["35"], message["150"]) == ("8", "0")
