from typing import NamedTuple

class Verdict(NamedTuple):
    reason: int
    business: int
    ref_tag: int
    text: str

def reasons(begin_string: str) -> tuple[set[int], set[int]]: ...
def check(begin_string: str, message: bytes) -> Verdict | None: ...
