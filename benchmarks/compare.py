"""touchline and other packages on PyPI on one flow: nanoseconds a command, and do the trades agree?

`python -m benchmarks.compare [NAME]... [--flow normal] [--orders 50000] [--seconds 15] [--json]`
makes build/compare/NAME, an environment with that package alone at the version below, and runs
benchmarks/peers/NAME.py there under peer_driver.py, which says how it measures. A package that can
not be installed, or is not for this, is listed with the reason. Exit code 0 when touchline's own
figures verified, whatever the others did.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.common import ROOT, SEED, BenchError, Case, commit, fail, machine, run
from touchline.core.messages import ExecType, MsgType, Side, TimeInForce
from touchline.data import flow

PEERS = ROOT / "benchmarks" / "peers"
ENVIRONMENTS = ROOT / "build" / "compare"
BATCH = 256
INSTALL_S = 600.0
# Package and version, as PyPI gives it to Python 3.11; the adapter has the name with underscores.
VERSIONS = {
    "bourse": "0.4.0",
    "cython-orderbook": "0.1.2",
    "fastlob": "0.0.24",
    "lightmatchingengine": "2019.1.4",
    "limit-order-book": "2.0.0",
    "liquibook": "2.0.1",
    "litebook": "0.0.1",
    "nanobook": "0.19.2",
    "obook": "0.1.0",
    "order-matching": "0.12.0",
    "orderly-chaos": "0.2.0",
    "pylobo": "0.1.2",
}
# What a package needs beyond itself to be imported.
EXTRAS = {"order-matching": "[polars]"}
# Packages that people ask about here and that do not match one order with another.
NOT_COMPARED = {
    "hftbacktest": "it replays recorded market data against one strategy's orders, so the flow's "
    "orders would not meet one another (looked at: 2.4.4)",
    "nautilus_trader": "it fills one strategy's orders against market data, so the flow's orders "
    "would not meet one another; its OrderBook keeps orders and matches none (looked at: 1.221.0)",
}
OURS = {
    "nothing": "the driver alone, part of every figure below",
    "touchline_calls": "one call with plain integers a command, order ids and trades taken",
    "touchline_market": "object API: symbol, account, price as text; a Report a command, kept",
}
Figures = dict[str, Any]
Trade = list[int]  # price, qty, maker, taker


@dataclass(frozen=True)
class Workload:
    """A flow as the driver reads it, and what touchline makes of it.

    `trades_after[i]` is the number of trades after i + 1 commands, `touch_after` likewise.
    """

    rows: list[list[Any]]
    trades: list[Trade]
    trades_after: list[int]
    touch_after: list[tuple[int, int]]
    resolved: Any
    setup: Any
    case: Case


def workload(name: str, orders: int) -> Workload:
    """Run the flow through touchline command by command, and write down both sides."""
    case = Case(name, name, orders)
    made = flow.generate(name, orders, SEED, accounts=1)
    resolved = flow.resolve(made, case.engine())
    engine = case.engine()
    engine.submit(made.setup)
    numbers: dict[int, int] = {}
    done = Workload([], [], [], [], resolved, made.setup, case)
    for index in range(len(resolved)):
        command = resolved[index]
        number = int(made.refs[index]) if made.refs[index] >= 0 else index
        events = engine.submit(resolved[index : index + 1])
        first = events[0]
        if command["type"] == MsgType.NEW_ORDER:
            numbers[int(first["order_id"])] = number
        entry = made.commands[number]
        done.rows.append(row_of(command, entry, number, first))
        done.trades.extend(
            [int(e["price"]), int(e["qty"]), numbers[int(e["contra_order_id"])], number]
            for e in events[events["exec_type"] == ExecType.TRADE]
        )
        done.trades_after.append(len(done.trades))
        done.touch_after.append((engine.best_bid(0), engine.best_ask(0)))
    return done


def row_of(command: Any, entry: Any, number: int, answer: Any) -> list[Any]:
    """One command for the driver: the adapter's method and its arguments."""
    live = bool(answer["exec_type"] != ExecType.CANCEL_REJECTED)
    is_buy = bool(entry["side"] == Side.BUY)
    price, qty = int(command["price"]), int(command["qty"])
    if command["type"] == MsgType.CANCEL:
        return ["cancel", number, live]
    if command["type"] == MsgType.REPLACE:
        open_qty = int(answer["leaves_qty"]) if live else qty
        return ["replace", number, is_buy, price, qty, open_qty, live]
    kind = "ioc" if command["time_in_force"] == TimeInForce.IOC else "new"
    return [kind, number, is_buy, price, qty]


def environment(package: str) -> str:
    """The interpreter of build/compare/NAME with the package installed; BenchError with why not."""
    folder = ENVIRONMENTS / package
    python = folder / "bin" / "python"
    wanted = f"{package}{EXTRAS.get(package, '')}=={VERSIONS[package]}"
    mark = folder / "installed"
    if mark.exists() and mark.read_text() == wanted:
        return str(python)
    run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", wanted]
    try:
        done = subprocess.run(pip, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired as e:
        raise BenchError(f"pip took longer than {INSTALL_S:.0f} s") from e
    if done.returncode != 0:
        raise BenchError(f"pip: {done.stderr.strip().splitlines()[-1]}")
    mark.write_text(wanted)
    return str(python)


def drive(python: str, adapter: Path, rows: Path, seconds: float) -> Figures:
    """The driver's figures; BenchError with the last line of what it said when it fails."""
    # -P keeps this folder's modules away from a peer's imports.
    program = [python, "-P", str(ROOT / "benchmarks" / "peer_driver.py"), str(adapter), str(rows)]
    limit = 4 * seconds + 30
    try:
        done = subprocess.run(
            [*program, str(seconds)], capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise BenchError(f"no result within {limit:.0f} s") from e
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise BenchError(said[-1])
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def agreement(found: Figures, expected: Workload) -> str:
    """`equal`, or where the trades part from touchline's, or what was compared instead."""
    count = found["commands"]
    if found["trades"] is None:
        if found["touch"] is None:
            return "nothing reported"
        wanted = expected.touch_after[count - 1]
        same = tuple(found["touch"]) == wanted
        return "touch equal" if same else f"touch {found['touch']}, expected {list(wanted)}"
    ours = expected.trades[: expected.trades_after[count - 1]]
    theirs = found["trades"]
    if theirs == ours:
        return "equal"
    if [trade[1:] for trade in theirs] == [trade[1:] for trade in ours]:
        prices = sum(a[0] != b[0] for a, b in zip(theirs, ours, strict=True))
        return f"equal but for {prices:,} of {len(ours):,} prices"
    for number, (one, wanted) in enumerate(zip(theirs, ours, strict=False), 1):
        if one != wanted:
            return f"trade {number} of {len(ours)} is {one}, expected {wanted}"
    return f"{len(theirs)} trades, expected {len(ours)}"


def batches(expected: Workload) -> Figures:
    """numpy batches of 256 in this process, by its CPU time, their events checked afterwards."""
    parts = [expected.resolved[i : i + BATCH] for i in range(0, len(expected.resolved), BATCH)]
    taken = []
    for _ in range(5):
        engine = expected.case.engine()
        engine.submit(expected.setup)
        start = time.process_time_ns()
        for part in parts:
            engine.submit(part)
        taken.append((time.process_time_ns() - start) / len(expected.resolved))
    checked = expected.case.engine()
    checked.submit(expected.setup)
    events = [checked.submit(part).copy() for part in parts]
    trades = sum(int(np.count_nonzero(e["exec_type"] == ExecType.TRADE)) for e in events)
    return {
        "commands": len(expected.resolved),
        "best_ns": min(taken),
        "median_ns": sorted(taken)[2],
        "passes": len(taken),
        "agreement": "equal" if trades == len(expected.trades) else f"{trades} trades",
        "note": f"numpy batches of {BATCH}, events as a view; no order id or trade made an object",
    }


def measure(name: str, python: str, expected: Workload, rows: Path, seconds: float) -> Figures:
    adapter = PEERS / f"{name.replace('-', '_')}.py"
    try:
        figures = drive(python, adapter, rows, seconds)
    except BenchError as e:
        return {"reason": str(e)}
    figures["agreement"] = agreement(figures, expected)
    if name == "nothing":
        figures["agreement"] = ""
    for asked_once in ("trades", "touch"):
        figures.pop(asked_once)
    return figures


def compare(names: list[str], flow_name: str, orders: int, seconds: float) -> Figures:
    """Figures of every row by name; a row without figures has a reason."""
    expected = workload(flow_name, orders)
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    rows = ENVIRONMENTS / f"{flow_name}-{orders}.json"
    rows.write_text(json.dumps(expected.rows))
    found: Figures = {}
    for name, note in OURS.items():
        found[name] = measure(name, sys.executable, expected, rows, seconds) | {"note": note}
    found["touchline_batches"] = batches(expected)
    for package in names:
        try:
            python = environment(package)
        except BenchError as e:
            found[package] = {"version": VERSIONS[package], "reason": str(e)}
            continue
        print(f"{package} ...", file=sys.stderr, flush=True)
        figures = measure(package, python, expected, rows, seconds)
        found[package] = {"version": VERSIONS[package]} | figures
    found |= {name: {"reason": reason} for name, reason in NOT_COMPARED.items()}
    rows.unlink()
    return {
        "flow": flow_name,
        "orders": orders,
        "commands": len(expected.rows),
        "trades": len(expected.trades),
        "rows": found,
        "verified": all(found[n].get("agreement") == "equal" for n in found if "touchline" in n),
    }


def table(figures: Figures) -> list[str]:
    """Markdown, the fastest first; a ratio is of the median, to touchline's calls."""
    rows: Figures = figures["rows"]
    ours = rows["touchline_calls"]["median_ns"]
    lines = [
        "| package | ns a command, best | median | ratio | commands | trades |",
        "|---|---|---|---|---|---|",
    ]
    measured = {name: row for name, row in rows.items() if "median_ns" in row}
    for name, row in sorted(measured.items(), key=lambda item: item[1]["median_ns"]):
        lines.append(
            f"| {name} {row.get('version', '')} | {row['best_ns']:,.0f} | {row['median_ns']:,.0f} "
            f"| {row['median_ns'] / ours:,.2f} | {row['commands']:,} | {row['agreement']} |"
        )
    lines += ["", "Notes:", ""]
    lines += [f"* {name}: {row['note']}." for name, row in measured.items() if row.get("note")]
    lines += [
        f"* {name} {row.get('version', '')}: not measured: {row['reason']}."
        for name, row in rows.items()
        if "reason" in row
    ]
    return lines


@click.command()
@click.argument("names", nargs=-1)
@click.option("--flow", "flow_name", type=click.Choice(list(flow.SWINGS)), default="normal")
@click.option("--orders", default=50_000, show_default=True, help="New orders in the flow.")
@click.option("--seconds", default=15.0, show_default=True, help="About the most for one package.")
@click.option("--json", "as_json", is_flag=True, help="Figures for machines.")
def main(
    names: tuple[str, ...], flow_name: str, orders: int, seconds: float, as_json: bool
) -> None:
    """Compare touchline with the packages NAMES, or with all that are known."""
    unknown = set(names) - VERSIONS.keys()
    if unknown:
        raise click.BadParameter(f"not among {', '.join(VERSIONS)}: {', '.join(sorted(unknown))}")
    try:
        figures = compare(list(names or VERSIONS), flow_name, orders, seconds)
        figures |= {"machine": machine(), "commit": commit()}
    except BenchError as e:
        sys.exit(fail(e))
    print(json.dumps(figures, indent=2) if as_json else "\n".join(table(figures)))
    sys.exit(0 if figures["verified"] else 1)


if __name__ == "__main__":
    main()
