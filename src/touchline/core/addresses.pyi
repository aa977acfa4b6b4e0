from typing import Any

def function_pointers() -> dict[str, int]: ...

__test__: dict[str, Any]
