from typing import NamedTuple

MESSAGE_MAX: int

class Field(NamedTuple):
    tag: int
    value: bytes
    depth: int

class Verdict(NamedTuple):
    reason: int
    business: int
    ref_tag: int
    text: str

class Examined(NamedTuple):
    fields: list[Field]
    verdict: Verdict

def framed(data: bytes, message_max: int = 65536) -> tuple[int, int] | None: ...
def examine(message: bytes, begin_string: str) -> Examined | None: ...
def reasons(begin_string: str) -> tuple[set[int], set[int]]: ...
