"""The FIX versions spoken here: one row each, with what differs between them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """What a version knows. `other_*` is its code for a reason it has no code for."""

    dictionary: str  # the file's name, as the package quickfix installs it
    ord_rej_reasons: frozenset[int]  # OrdRejReason(103)
    other_ord: int
    cxl_rej_reasons: frozenset[int]  # CxlRejReason(102)
    other_cxl: int


FIX42, FIX44 = "FIX.4.2", "FIX.4.4"
VERSIONS = {
    FIX42: Version(
        dictionary="FIX42.xml",
        ord_rej_reasons=frozenset(range(9)),
        other_ord=0,  # broker's option
        cxl_rej_reasons=frozenset(range(4)),
        other_cxl=2,
    ),
    FIX44: Version(
        dictionary="FIX44.xml",
        ord_rej_reasons=frozenset((*range(12), 13, 14, 15, 99)),
        other_ord=99,
        cxl_rej_reasons=frozenset((*range(7), 99)),
        other_cxl=99,
    ),
}
