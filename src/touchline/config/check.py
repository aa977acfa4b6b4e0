"""What no single value of a configuration can tell: clashes between its sections.

`cross_check` looks at the parts that are right on their own and names what does not fit together.
Pure functions; called by config.load alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from touchline.config.pricing import source_problems
from touchline.config.publish import publish_problems
from touchline.config.timetable import timetable_problems
from touchline.config.values import USUAL_PERMISSIONS
from touchline.core.messages import PRICE_MAX, QTY_MAX, SESSIONS_MAX, TEXT_BYTES
from touchline.errors import PriceError, QtyError

if TYPE_CHECKING:
    from touchline.config.pricing import SourceSection
    from touchline.config.publish import PublishSection
    from touchline.config.sections import (
        AccountSection,
        EngineSection,
        FixSection,
        InstrumentSection,
        SessionSection,
    )
    from touchline.config.timetable import TimetableSection
    from touchline.config.wire import WireSection, WireSessionSection

NUMBER_BYTES_MAX = TEXT_BYTES  # of a number that the journal keeps as text

Loc = tuple[int | str, ...]
Problem = tuple[Loc, str]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a configuration that are right on their own; list items keep their place."""

    engine: EngineSection
    fix: FixSection
    wire: WireSection
    publish: PublishSection
    instruments: list[tuple[int, InstrumentSection]]
    accounts: list[tuple[int, AccountSection]]
    sessions: list[tuple[int, SessionSection]]
    wire_sessions: list[tuple[int, WireSessionSection]]
    sources: list[tuple[int, SourceSection]]
    timetables: list[tuple[int, TimetableSection]]
    accounts_named: set[str]


def cross_check(parts: Parts) -> Iterator[Problem]:
    """Every problem that takes more than one value to see."""
    yield from _twice("instruments", "symbol", ((i, s.symbol) for i, s in parts.instruments))
    yield from _twice("accounts", "name", ((i, a.name) for i, a in parts.accounts))
    yield from _twice("sessions", "comp_id", ((i, s.comp_id) for i, s in parts.sessions))
    yield from _twice(
        "wire_sessions", "username", ((i, s.username) for i, s in parts.wire_sessions)
    )
    yield from _twice("sources", "name", ((i, s.name) for i, s in parts.sources))
    yield from source_problems(parts.sources)
    yield from timetable_problems(parts.timetables, {s.symbol for _, s in parts.instruments})
    for index, instrument in parts.instruments:
        yield from _instrument(("instruments", index), instrument)
    for index, session in parts.sessions:
        yield from _session(("sessions", index), session, parts)
    for index, user in parts.wire_sessions:
        yield from _wire_session(("wire_sessions", index), user, parts)
    if parts.wire.feed_b is not None and parts.wire.feed_a is None:
        yield ("wire", "feed_b"), "stands without feed_a"
    yield from _tls(parts.fix)
    yield from publish_problems(parts.publish)
    yield from _ports(parts)
    yield from _sizes(parts)
    count = len(parts.sessions) + len(parts.wire_sessions)
    if count > SESSIONS_MAX:
        yield ("sessions",), f"{count} are too many; the most are {SESSIONS_MAX}"


def _twice(section: str, key: str, values: Iterable[tuple[int, Hashable]]) -> Iterator[Problem]:
    seen: dict[Hashable, int] = {}
    for index, value in values:
        first = seen.setdefault(value, index)
        if first != index:
            yield (section, index, key), f"{value!r} is taken by {section}[{first + 1}] already"


def _instrument(loc: Loc, section: InstrumentSection) -> Iterator[Problem]:
    """Prices on tick and in range, quantities in whole lots and in range, bounds in order."""
    for key in ("tick_size", "lot_size"):
        size = getattr(section, key)
        if size.adjusted() >= NUMBER_BYTES_MAX or len(format(size, "f")) > NUMBER_BYTES_MAX:
            yield (*loc, key), f"is written with more than {NUMBER_BYTES_MAX} digits"
            return
    try:
        instrument = section.instrument(0)
    except (PriceError, QtyError) as error:
        yield (*loc, "tick_size" if isinstance(error, PriceError) else "lot_size"), f"{error}"
        return
    ticks: dict[str, int] = {}
    for key in ("price_min", "price_max", "reference_price", "price_collar"):
        price = getattr(section, key)
        if price is None:
            continue
        try:
            ticks[key] = instrument.to_ticks(price)
        except PriceError as error:
            yield (*loc, key), f"{error}"
            continue
        if ticks[key] > PRICE_MAX:
            allowed = instrument.to_price(PRICE_MAX)
            yield (*loc, key), f"{price:f} is above {allowed:f}, the most {PRICE_MAX} ticks can say"
    if ticks.get("price_min", 1) > ticks.get("price_max", PRICE_MAX):
        yield (*loc, "price_min"), f"{section.price_min:f} is above price_max {section.price_max:f}"
    reference = ticks.get("reference_price", ticks.get("price_min", 1))
    if not ticks.get("price_min", 1) <= reference <= ticks.get("price_max", PRICE_MAX):
        yield (*loc, "reference_price"), f"{section.reference_price} is outside the price range"
    if section.qty_max is not None:
        try:
            lots = instrument.to_lots(section.qty_max)
        except QtyError as error:
            yield (*loc, "qty_max"), f"{error}"
            return
        if lots > QTY_MAX:
            allowed = instrument.to_qty(QTY_MAX)
            yield (*loc, "qty_max"), f"{section.qty_max:f} is above {allowed:f}, {QTY_MAX} lots"


def _session(loc: Loc, session: SessionSection, parts: Parts) -> Iterator[Problem]:
    if session.comp_id == parts.fix.comp_id:
        yield (*loc, "comp_id"), f"{session.comp_id!r} is the venue's own, fix.comp_id"
    for account in dict.fromkeys(session.accounts):
        if account not in parts.accounts_named:
            known = ", ".join(sorted(parts.accounts_named)) or "none"
            yield (*loc, "accounts"), f"{account!r} is not an account; [[accounts]] names {known}"
    if len(set(session.accounts)) != len(session.accounts):
        yield (*loc, "accounts"), "names an account twice"
    if session.password is not None and session.password_hash is not None:
        yield (*loc, "password_hash"), "stands beside password; one of them is the password"
    if (session.open is None) != (session.close is None):
        yield (*loc, "open"), "and close belong together: give both or neither"
    if len(set(session.permissions)) != len(session.permissions):
        yield (*loc, "permissions"), "names a permission twice"
    for key in ("cancel_on_disconnect", "throttle", "pending_reports", "cl_ord_id_scope"):
        usual = type(session).model_fields[key].default
        if getattr(session, key) != usual and parts.fix.engine == "quickfix":
            yield (*loc, key), 'needs fix.engine = "native"'
    if set(session.permissions) != set(USUAL_PERMISSIONS) and parts.fix.engine == "quickfix":
        yield (*loc, "permissions"), 'needs fix.engine = "native"'
    if session.begin_string == "FIXT.1.1" and parts.fix.engine == "quickfix":
        yield (*loc, "begin_string"), 'FIXT.1.1 needs fix.engine = "native"'
    if session.reset is not None and parts.fix.engine == "quickfix":
        yield (*loc, "reset"), 'needs fix.engine = "native"'
    if session.certificate is not None and parts.fix.tls_client == "any":
        yield (*loc, "certificate"), "is asked of nobody while fix.tls_client is any"


def _wire_session(loc: Loc, session: WireSessionSection, parts: Parts) -> Iterator[Problem]:
    if session.username in {s.comp_id for _, s in parts.sessions}:
        yield (*loc, "username"), f"{session.username!r} is the comp_id of one of [[sessions]]"
    for account in dict.fromkeys(session.firms.values()):
        if account not in parts.accounts_named:
            known = ", ".join(sorted(parts.accounts_named)) or "none"
            yield (*loc, "firms"), f"{account!r} is not an account; [[accounts]] names {known}"
    if (session.password is None) == (session.password_hash is None):
        yield (*loc, "password"), "or password_hash is needed: one of them, and not both"


def _tls(fix: FixSection) -> Iterator[Problem]:
    """What TLS needs together."""
    if (fix.tls_certificate is None) != (fix.tls_key is None):
        yield ("fix", "tls_key"), "and tls_certificate belong together: give both or neither"
    if fix.tls_client != "any" and fix.tls_client_ca is None:
        yield ("fix", "tls_client_ca"), f"is missing: tls_client is {fix.tls_client}"
    if fix.tls_client != "any" and fix.tls_certificate is None:
        yield ("fix", "tls_client"), "needs tls_certificate and tls_key"


def _ports(parts: Parts) -> Iterator[Problem]:
    """Two listeners of this venue cannot share a port."""
    wanted = [
        (("fix", "port"), parts.fix.enabled, parts.fix.port),
        (("publish", "pub_port"), parts.publish.enabled, parts.publish.pub_port),
        (("publish", "snapshot_port"), parts.publish.enabled, parts.publish.snapshot_port),
        (("wire", "ouch_port"), parts.wire.enabled, parts.wire.ouch_port),
        (("wire", "glimpse_port"), _has_feed(parts.wire), parts.wire.glimpse_port),
    ]
    seen: dict[int, str] = {}
    for loc, enabled, port in wanted:
        if not enabled:
            continue
        first = seen.setdefault(port, ".".join(loc))
        if first != ".".join(loc):
            yield loc, f"port {port} is taken by {first} already"


def _has_feed(wire: WireSection) -> bool:
    return wire.enabled and wire.feed_a is not None


def _sizes(parts: Parts) -> Iterator[Problem]:
    """The engine is opened for fixed numbers of everything."""
    engine = parts.engine
    for key, items in (("instruments", parts.instruments), ("accounts", parts.accounts)):
        allowed = getattr(engine, f"{key}_max")
        if len(items) > allowed:
            yield (
                ("engine", f"{key}_max"),
                f"{allowed} is too small for the {len(items)} of [[{key}]]",
            )
    limited = [
        a
        for _, a in parts.accounts
        if (a.order_qty_max, a.order_value_max, a.position_max) != (None, None, None)
    ]
    places = len(limited) * len(parts.instruments)
    if places > engine.positions_max:
        yield (
            ("engine", "positions_max"),
            f"{engine.positions_max} is too small: {len(limited)} accounts with limits "
            f"in {len(parts.instruments)} instruments take {places} places",
        )
