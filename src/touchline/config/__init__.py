"""The configuration of a venue: `load` reads and checks it, `Config` holds it."""

from touchline.config.sections import (
    NAME_BYTES,
    AccountSection,
    CaptureSection,
    Config,
    EngineSection,
    FixSection,
    InstrumentSection,
    PublishSection,
    SessionSection,
    Venue,
    load,
)

__all__ = [
    "NAME_BYTES",
    "AccountSection",
    "CaptureSection",
    "Config",
    "EngineSection",
    "FixSection",
    "InstrumentSection",
    "PublishSection",
    "SessionSection",
    "Venue",
    "load",
]
