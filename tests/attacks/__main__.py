"""`python -m attacks`, in tests/: every attack on a venue of its own, a line for each.

`--engine` names one engine, otherwise all that there are take turns; `--only 1a,9b` chooses
attacks. The exit code is 1 when an attack succeeded.
"""

import argparse
import sys
import time

from attacks.catalogue import ATTACKS
from attacks.scene import ATTACK_S, RATIO_MAX, Verdict, known_engines, played


def line(verdict: Verdict) -> str:
    slowed = [f"p99 rose {verdict.ratio:.1f} times"] if verdict.ratio > RATIO_MAX else []
    return "; ".join(verdict.faults + slowed)


def main() -> int:
    parser = argparse.ArgumentParser(prog="attacks", description=__doc__)
    parser.add_argument("--engine", choices=known_engines())
    parser.add_argument("--only", default="", help="numbers of attacks, with commas between")
    parser.add_argument("--seconds", type=float, default=ATTACK_S, help="how long each may take")
    chosen = parser.parse_args()
    only = [number for number in chosen.only.split(",") if number]
    attacks = [attack for attack in ATTACKS if not only or attack.number in only]
    passed = failed = known = 0
    for engine in [chosen.engine] if chosen.engine else known_engines():
        for attack in attacks:
            start = time.monotonic()
            verdict = played(attack, engine, chosen.seconds)
            wrong = line(verdict)
            beyond = attack.beyond[engine] if verdict.known and not wrong else ""
            passed += not wrong and not beyond
            failed, known = failed + bool(wrong), known + bool(beyond)
            figures = ", ".join([*verdict.figures, f"{time.monotonic() - start:.0f} s"])
            mark = "FAIL" if wrong else "known" if beyond else "ok"
            why = wrong or beyond
            head = f"{mark:5} {engine:8} {attack.number:>3} {attack.name}"
            print(f"{head}: {why + ' | ' if why else ''}{figures}", flush=True)
    print(f"{known} known to be beyond QuickFIX")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
