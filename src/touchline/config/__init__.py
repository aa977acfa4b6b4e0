"""The configuration of a venue: `load` reads and checks it, `Config` holds it."""

from touchline.config.pricing import PricingSection, SourceSection
from touchline.config.publish import PublishSection
from touchline.config.sections import (
    LISTS,
    AccountSection,
    CaptureSection,
    Config,
    EngineSection,
    FixSection,
    InstrumentSection,
    LogSection,
    SessionSection,
    SupervisorSection,
    Venue,
    load,
)
from touchline.config.values import NAME_BYTES, USUAL_PERMISSIONS, FixVersion
from touchline.config.wire import WireSection, WireSessionSection
from touchline.core.messages import SESSIONS_MAX

__all__ = [
    "LISTS",
    "NAME_BYTES",
    "SESSIONS_MAX",
    "USUAL_PERMISSIONS",
    "AccountSection",
    "CaptureSection",
    "Config",
    "EngineSection",
    "FixSection",
    "FixVersion",
    "InstrumentSection",
    "LogSection",
    "PricingSection",
    "PublishSection",
    "SessionSection",
    "SourceSection",
    "SupervisorSection",
    "Venue",
    "WireSection",
    "WireSessionSection",
    "load",
]
