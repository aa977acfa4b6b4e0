"""Brokers trade, hang up and come back; what they were told adds up. `make fix-soak` is long."""

from __future__ import annotations

from pathlib import Path

from harness.fix_soak import soak


def test_brokers_that_trade_and_leave_are_told_what_the_journal_says(
    tmp_path: Path, seed: int
) -> None:
    facts = soak(tmp_path, 4, seed, 8)
    assert facts["requests"] > 100
    assert facts["traded"] > 10
    assert facts["connections"] >= 16
