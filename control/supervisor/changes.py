"""What two configurations differ in, as far as parts that run take it up. Pure functions."""

from __future__ import annotations

from typing import Any

from touchline.config import Config


def only_more(fresh: Config, known: Config) -> bool:
    """Whether the running gateway can take up these sessions: none goes or has another version,
    and, with QuickFIX, none comes."""
    before, after = (
        {(session.comp_id, session.begin_string) for session in config.sessions}
        for config in (known, fresh)
    )
    return before == after or (known.fix.engine == "native" and before < after)


def timetables(config: Config) -> tuple[Any, ...]:
    """The timetables, and who may follow them."""
    return (config.timetables, [instrument.symbol for instrument in config.instruments])
