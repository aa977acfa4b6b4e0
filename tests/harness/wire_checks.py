"""All tests of the binary protocols, C and Python: what `make wire` runs and counts."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from harness.sources import ROOT

PARTS = "soupbin|moldudp64|itch|ouch|stock|port|spool|glimpse|wire|mirror"
C_TESTS = f"^(test|fuzz)_({PARTS})"


def counted(report: Path) -> tuple[int, list[str]]:
    """How many tests of a report in JUnit form passed, and the names of those that failed."""
    passed, failed = 0, list[str]()
    for case in ElementTree.parse(report).iter("testcase"):
        if any(case.find(kind) is not None for kind in ("failure", "error")):
            failed.append(f"{case.get('classname', '')} {case.get('name')}".strip())
        elif case.find("skipped") is None:
            passed += 1
    return passed, failed


def main() -> int:
    """Run them; 0 when none failed."""
    passed, failed = 0, list[str]()
    with tempfile.TemporaryDirectory() as directory:
        in_c, in_python = (Path(directory) / f"{name}.xml" for name in ("c", "python"))
        ctest = Path(sys.executable).with_name("ctest")
        runs = {
            in_c: [str(ctest), "--test-dir", "build/c", "-R", C_TESTS, "--output-junit", str(in_c)],
            in_python: [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *("tests/wire", f"--junitxml={in_python}"),
            ],
        }
        for report, command in runs.items():
            done = subprocess.run(command, cwd=ROOT, check=False)
            if not report.exists():
                failed.append(f"{command[0]} ended with exit code {done.returncode}")
                continue
            good, bad = counted(report)
            passed += good
            failed += bad
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
