"""Steps of an allocation as an operator writes them: `market-maker:ACC3:40 pro-rata:100:10`."""

from __future__ import annotations

from touchline.core.messages import Allocation
from touchline.errors import TouchlineError
from touchline.market import AllocationStep

FORMS = {
    Allocation.FIFO: ("PERCENT",),
    Allocation.TOP: ("AMOUNT", "LEAST"),
    Allocation.MARKET_MAKER: ("ACCOUNT", "PERCENT"),
    Allocation.PRO_RATA: ("AMOUNT", "LEAST"),
    Allocation.LEVELLING: (),
}
FIELDS = {"PERCENT": "amount", "AMOUNT": "amount", "LEAST": "least", "ACCOUNT": "account"}
NAMES = {kind.name.lower().replace("_", "-"): kind for kind in Allocation}


def step_of(text: str) -> AllocationStep:
    """TouchlineError for what is no step; whether its numbers can be is the engine's to say."""
    name, *given = text.split(":")
    kind = NAMES.get(name)
    if kind is None:
        raise TouchlineError(f"{text} is no step; there are {', '.join(map(form_of, Allocation))}")
    if len(given) != len(FORMS[kind]) or not all(given):
        raise TouchlineError(f"{text} is no step: {form_of(kind)} is wanted")
    parts = dict(zip(FORMS[kind], given, strict=True))
    if not parts.get("PERCENT", "0").isdecimal():
        raise TouchlineError(f"{text} is no step: {parts['PERCENT']} is no whole number")
    said = {FIELDS[part]: value for part, value in parts.items()}
    return AllocationStep(kind, said.get("amount"), said.get("least"), said.get("account"))


def form_of(kind: Allocation) -> str:
    """The words of a step: `top:AMOUNT:LEAST`."""
    name = kind.name.lower().replace("_", "-")
    return ":".join([name, *FORMS[kind]])
