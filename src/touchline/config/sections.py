"""The configuration of a venue: what it may say, where it comes from, and what is wrong with it.

Values come from a TOML file, are overridden by the environment (TOUCHLINE_FIX__PORT=9900), and
those by flags of the command line. Everything wrong is reported at once, each problem with the file
and line, the variable or the flag it came from. Decimal numbers are read as Decimal, never float.
Settings are frozen values handed down as arguments; nothing else reads the environment for them.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError

from touchline.config.base import Section
from touchline.config.check import Parts, Problem, cross_check
from touchline.config.lines import ENV_PREFIX, Origin
from touchline.config.pricing import PricingSection, SourceSection
from touchline.config.publish import PublishSection, anchored
from touchline.config.timetable import TimetableSection
from touchline.config.values import (
    USUAL_PERMISSIONS,
    Argon2,
    FileName,
    FixVersion,
    Host,
    Limit,
    Moment,
    Name,
    Network,
    Permission,
    Port,
    Positive,
    Slots,
    Zone,
)
from touchline.config.wire import WireSection, WireSessionSection
from touchline.core.capacities import CAPACITIES, EngineCapacities
from touchline.errors import ConfigError
from touchline.instruments import Instrument

LISTS = ("instruments", "accounts", "sessions", "wire_sessions", "sources", "timetables")
NOT_SETTINGS = (f"{ENV_PREFIX}CONFIG",)  # variables of the command line's own


_S = TypeVar("_S", bound=Section)


class Venue(Section):
    """[venue]: its name, and where it keeps its files."""

    name: FileName = "touchline"
    data_dir: Path = Path("data")
    run_dir: Path = Path("/dev/shm")


def _capacity(name: str) -> Any:
    """A capacity of the engine: its usual value, and the bounds that the core has for it."""
    bounds = CAPACITIES[name]
    usual = EngineCapacities._field_defaults[name]
    return Field(default=usual, ge=bounds.lowest, le=bounds.highest)


class EngineSection(Section):
    """[engine]: how much the core holds and how its thread waits and writes."""

    instruments_max: int = _capacity("instruments_max")
    accounts_max: int = _capacity("accounts_max")
    orders_max: int = _capacity("orders_max")
    positions_max: int = _capacity("positions_max")
    price_blocks_max: int = _capacity("price_blocks_max")
    wait: Literal["park", "yield", "spin"] = "park"
    sync: Literal["none", "batch"] = "none"
    segment_mb: int = Field(default=64, ge=1, le=4096)
    lane_slots: Slots = Field(default=16384, ge=64, le=1 << 24)
    event_slots: Slots = Field(default=131072, ge=1024, le=1 << 26)
    cpu: int | None = Field(default=None, ge=0)
    clock_step_max_s: int = Field(default=60, ge=1, le=86400)
    clock_gap_max_days: int = Field(default=366, ge=1, le=36525)
    indicative_ms: int = Field(default=1000, ge=0, le=86_400_000)


class FixSection(Section):
    """[fix]: the acceptor brokers connect to."""

    enabled: bool = True
    host: Host = "127.0.0.1"
    port: Port = 9878
    comp_id: FileName = "TOUCHLINE"
    heartbeat_s: int = Field(default=30, ge=1, le=3600)
    engine: Literal["native", "quickfix"] = "native"
    busy_poll: bool = False
    cpu: int | None = Field(default=None, ge=0)
    message_bytes_max: int = Field(default=16_384, ge=1024, le=65_536)
    logon_timeout_s: float = Field(default=5.0, gt=0, le=60)
    newcomers_max: int = Field(default=1024, ge=16, le=65_536)
    store_mb_max: int = Field(default=0, ge=0, le=1 << 24)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    tls_client: Literal["any", "asked", "required"] = "any"
    tls_1_2: bool = False


class CaptureSection(Section):
    """[capture]: every event to Parquet files."""

    enabled: bool = True
    flush_s: float = Field(default=1.0, gt=0, le=3600)
    rows_max: int = Field(default=200_000, ge=1, le=1 << 24)


class SupervisorSection(Section):
    """[supervisor]: when a part counts as stuck, and what is too little room on the disk."""

    no_progress_s: float = Field(default=60.0, gt=0, le=86400)
    tries_max: int = Field(default=5, ge=1, le=1000)
    hung_s: float = Field(default=20.0, ge=5, le=3600)
    stop_s: float = Field(default=30.0, gt=0, le=3600)
    disk_free_mb: int = Field(default=256, ge=0, le=1 << 30)


class LogSection(Section):
    """[log]: how lines are written, and when a file is put aside."""

    format: Literal["logfmt", "json"] = "logfmt"
    rotate_mb: int = Field(default=64, ge=1, le=1 << 20)
    keep: int = Field(default=8, ge=1, le=10_000)


class InstrumentSection(Section):
    """[[instruments]]: one instrument; prices and quantities as people write them."""

    symbol: Name
    tick_size: Positive
    lot_size: Positive = Decimal(1)
    currency: Name = "USD"
    price_min: Positive | None = None
    price_max: Positive | None = None
    qty_max: Positive | None = None
    reference_price: Positive | None = None
    price_collar: Limit | None = None
    halted: bool = False

    def instrument(self, index: int) -> Instrument:
        """The instrument under its number in the core."""
        return Instrument(index, self.symbol, self.tick_size, self.lot_size, self.currency)


class AccountSection(Section):
    """[[accounts]]: one account and its limits, which apply in every instrument."""

    name: Name
    order_qty_max: Limit | None = None
    order_value_max: Limit | None = None
    position_max: Limit | None = None
    blocked: bool = False


class SessionSection(Section):
    """[[sessions]]: one FIX counterparty; the first account serves orders without Account(1)."""

    comp_id: FileName
    begin_string: FixVersion = "FIX.4.4"  # FIXT.1.1 carries FIX 5.0 SP2
    accounts: tuple[Name, ...] = Field(min_length=1)
    enabled: bool = True
    password: str | None = Field(default=None, repr=False)
    password_hash: Argon2 | None = Field(default=None, repr=False)
    addresses: tuple[Network, ...] = ()
    certificate: str | None = None
    time_decimals: Literal[3, 6, 9] = 3
    permissions: tuple[Permission, ...] = Field(default=USUAL_PERMISSIONS, min_length=1)
    cancel_on_disconnect: Literal["off", "logout", "disconnect", "both"] = "off"
    cancel_grace_s: int = Field(default=0, ge=0, le=86_400)
    throttle: int | None = Field(default=None, ge=1, le=1_000_000)
    pending_reports: bool = False
    cl_ord_id_scope: Literal["ever", "day", "open"] = "ever"
    open: Moment | None = None
    close: Moment | None = None
    reset: Moment | None = None
    time_zone: Zone = "UTC"


class Config(Section):
    """A whole configuration; build one with `load` to have it checked across sections too."""

    venue: Venue = Venue()
    engine: EngineSection = EngineSection()
    fix: FixSection = FixSection()
    wire: WireSection = WireSection()
    publish: PublishSection = PublishSection()
    capture: CaptureSection = CaptureSection()
    supervisor: SupervisorSection = SupervisorSection()
    log: LogSection = LogSection()
    pricing: PricingSection = PricingSection()
    instruments: tuple[InstrumentSection, ...] = ()
    accounts: tuple[AccountSection, ...] = ()
    sessions: tuple[SessionSection, ...] = ()
    wire_sessions: tuple[WireSessionSection, ...] = ()
    sources: tuple[SourceSection, ...] = ()
    timetables: tuple[TimetableSection, ...] = ()

    @property
    def bus_path(self) -> Path:
        """The file of the shared-memory rings."""
        return self.venue.run_dir / f"touchline-{self.venue.name}.bus"

    @property
    def journal_dir(self) -> Path:
        return self.venue.data_dir / "journal"

    @property
    def fix_dir(self) -> Path:
        return self.venue.data_dir / "fix"

    @property
    def wire_dir(self) -> Path:
        return self.venue.data_dir / "wire"

    @property
    def keys_dir(self) -> Path:
        return self.venue.data_dir / "keys"

    @property
    def capture_dir(self) -> Path:
        return self.venue.data_dir / "capture"

    @property
    def log_dir(self) -> Path:
        return self.venue.data_dir / "log"

    @property
    def database_path(self) -> Path:
        return self.venue.data_dir / "touchline.duckdb"


class _ExactEnv(EnvSettingsSource):
    """Reads JSON values of variables without letting a number become a float."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return json.loads(value, parse_float=Decimal)


class _Environment(BaseSettings):
    """What the environment says, unjudged: values as text, lists as JSON."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__")
    venue: dict[str, Any] = {}
    engine: dict[str, Any] = {}
    fix: dict[str, Any] = {}
    wire: dict[str, Any] = {}
    publish: dict[str, Any] = {}
    capture: dict[str, Any] = {}
    supervisor: dict[str, Any] = {}
    log: dict[str, Any] = {}
    pricing: dict[str, Any] = {}
    instruments: list[Any] = []
    accounts: list[Any] = []
    sessions: list[Any] = []
    wire_sessions: list[Any] = []
    sources: list[Any] = []
    timetables: list[Any] = []

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *args: Any, **kwargs: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (_ExactEnv(settings_cls),)


def load(path: str | Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration in the file, overridden by the environment and then by `overrides`.

    `path` None means no file. `overrides` maps dotted keys ("fix.port") to values. A relative
    data_dir counts from the file's directory. Raises ConfigError that lists every problem.
    """
    flags = dict(overrides or {})
    data, text = _read(path)
    environment, problems = _environment()
    wrong = {name: reason for name in flags if (reason := _not_a_flag(name))}
    problems += [f"flag {name}: {reason}" for name, reason in wrong.items()]
    flags = {name: value for name, value in flags.items() if name not in wrong}
    raw = _merged(data, environment, flags)
    found: list[Problem] = []
    config = Config()
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        found += [(e["loc"], _reason(e)) for e in error.errors()]
    found += cross_check(_valid_parts(raw))
    if problems or found:
        origin = Origin(str(path or ""), text, environment, flags)
        raise ConfigError(*problems, *origin.tell_all(found))
    return _anchored(config, path)


def _read(path: str | Path | None) -> tuple[dict[str, Any], str]:
    """The file as TOML data and as text; ConfigError when there is none or it is not TOML."""
    if path is None:
        return {}, ""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigError(f"{path}: {reason}; `touchline init` writes a new one") from error
    try:
        return tomllib.loads(text, parse_float=Decimal), text
    except tomllib.TOMLDecodeError as error:
        line = re.search(r" \(at line (\d+), column \d+\)", str(error))
        place = f"{path}:{line[1]}" if line else f"{path}"
        raise ConfigError(f"{place}: is not TOML: {error}") from error


def _environment() -> tuple[dict[str, Any], list[str]]:
    """What the environment says, section by section, and the variables that make no sense."""
    problems = [
        f"environment variable {name}: {reason}"
        for name in sorted(os.environ)
        if (reason := _not_a_setting(name))
    ]
    try:
        return _Environment().model_dump(exclude_unset=True), problems
    except (SettingsError, ValidationError) as error:
        if problems:  # a key of a list, which is no JSON either, is told already
            return {}, problems
        reason = str(error).splitlines()[0]
        return {}, [*problems, f"environment: {reason}; a list is written as JSON"]


def _not_a_setting(name: str) -> str:
    """What is wrong with a variable that looks like a setting and is none."""
    if not name.startswith(ENV_PREFIX) or name in NOT_SETTINGS:
        return ""
    section, nested, key = name[len(ENV_PREFIX) :].lower().partition("__")
    if section not in Config.model_fields:
        known = ", ".join(Config.model_fields)
        return f"there is no such section; the sections are {known}, then __ and the key"
    if not nested or not key:
        return ""
    if section in LISTS:
        return f"{section} is a list: set {ENV_PREFIX}{section.upper()} to all of it, as JSON"
    return ""


def _not_a_flag(dotted: str) -> str:
    """What is wrong with the name of a flag, when its value is not even looked at."""
    section, _, key = dotted.partition(".")
    if section not in Config.model_fields:
        return f"there is no such section; the sections are {', '.join(Config.model_fields)}"
    if section in LISTS and key:
        return f"{section} is a list, whose keys no flag can set; change the file"
    return ""


def _merged(
    data: dict[str, Any], environment: dict[str, Any], flags: dict[str, Any]
) -> dict[str, Any]:
    """The three sources on top of one another; a list replaces the list below it."""
    raw = {k: dict(v) if isinstance(v, dict) else v for k, v in data.items()}
    for section, values in environment.items():
        if isinstance(values, dict) and isinstance(raw.setdefault(section, {}), dict):
            raw[section].update(values)
        else:
            raw[section] = values
    for dotted, value in flags.items():
        section, _, key = dotted.partition(".")
        if not key:
            raw[section] = value
        elif isinstance(raw.setdefault(section, {}), dict):
            raw[section][key] = value
    return raw


def _valid_parts(raw: dict[str, Any]) -> Parts:
    """Every section and list item without the keys that are wrong on their own."""

    def section(key: str, kind: type[_S]) -> _S:
        return _lenient(kind, raw.get(key, {})) or kind()

    def items(key: str, kind: type[_S]) -> list[tuple[int, _S]]:
        values = raw.get(key, [])
        found = enumerate(values if isinstance(values, list | tuple) else [])
        parts = ((index, _lenient(kind, value)) for index, value in found)
        return [(index, part) for index, part in parts if part is not None]

    return Parts(
        engine=section("engine", EngineSection),
        fix=section("fix", FixSection),
        wire=section("wire", WireSection),
        publish=section("publish", PublishSection),
        instruments=items("instruments", InstrumentSection),
        accounts=items("accounts", AccountSection),
        sessions=items("sessions", SessionSection),
        wire_sessions=items("wire_sessions", WireSessionSection),
        sources=items("sources", SourceSection),
        timetables=items("timetables", TimetableSection),
        accounts_named=_names(raw.get("accounts")),
    )


def _lenient(kind: type[_S], value: object) -> _S | None:
    """The value with its wrong keys left out; None when it makes no sense without them."""
    for _ in range(2):
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            if not isinstance(value, dict):
                return None
            wrong = {e["loc"][0] for e in error.errors() if e["loc"]}
            value = {k: v for k, v in value.items() if k not in wrong}
    return None


def _names(accounts: object) -> set[str]:
    """Names of all accounts, right or wrong otherwise, so that one mistake is told once."""
    items = accounts if isinstance(accounts, list | tuple) else []
    return {str(item["name"]) for item in items if isinstance(item, dict) and "name" in item}


def _reason(error: ErrorDetails) -> str:
    """What pydantic found wrong with a value, and the value."""
    key = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return f"there is no key {key!r} here"
    if error["type"] == "missing":
        return f"{key} is missing"
    text = (
        error["msg"]
        .removeprefix("Value error, ")
        .removeprefix("Input ")
        .replace("valid tuple", "list")
    )
    shown = "***" if key.startswith("password") else f"{error['input']!s:.60}"
    return f"{key} = {shown!r}: {text}"


def _anchored(config: Config, path: str | Path | None) -> Config:
    """The configuration with its directories made absolute, from where the file lies."""
    base = Path(path).resolve().parent if path is not None else Path.cwd()
    venue = config.venue.model_copy(
        update={
            "data_dir": base / _at_home(config.venue.data_dir),
            "run_dir": base / _at_home(config.venue.run_dir),
        }
    )
    files = {
        name: base / _at_home(path)
        for name in ("tls_certificate", "tls_key", "tls_client_ca")
        if (path := getattr(config.fix, name)) is not None
    }
    fix = config.fix.model_copy(update=files)
    publish = config.publish
    if publish.ipc_dir is not None:
        publish = anchored(publish, venue.name, base / _at_home(publish.ipc_dir))
    return config.model_copy(update={"venue": venue, "fix": fix, "publish": publish})


def _at_home(path: Path) -> Path:
    """A path with a leading ~ or ~user made whole; ConfigError when there is no such home."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(f"venue: {path}: there is no such home directory") from error
