"""Fuzz targets one after another: `python -m tests.fuzz --minutes 5 [TARGET …]`, by default a minute for every one."""

import argparse
import subprocess
import sys

from tests.fuzz.session import CORPUS
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Return 1 if there were faults."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=1, help="for each target")
    given = parser.parse_args()
    if unknown := sorted({*given.target} - {*TARGETS}):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    failed = []
    for name in given.target or TARGETS:
        command = [sys.executable, "-m", "tests.fuzz.session", name, str(given.minutes * 60)]
        CORPUS.mkdir(exist_ok=True)
        log = CORPUS / f"{name}.log"
        with log.open("wb") as file:
            code = subprocess.run(command, stderr=file).returncode
        if code not in (0, 1):
            print(f"{name}: ended with {code}, see {log}; the input may be {CORPUS}/{name}-*", flush=True)
        if code:
            failed.append(name)
    print(f"faults in {', '.join(failed)}" if failed else "no faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
