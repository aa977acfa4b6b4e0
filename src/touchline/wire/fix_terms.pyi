from typing import Literal

def term_of(
    tag: int,
) -> Literal["unlisted", "frame", "used", "ruled", "harmless", "refused"]: ...
