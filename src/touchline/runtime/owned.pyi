from typing import Any, NoReturn

class Owned:
    def __reduce__(self) -> NoReturn: ...

def refuse_copy(thing: object) -> TypeError: ...

__test__: dict[str, Any]
