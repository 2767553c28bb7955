"""Fuzz targets one after another: `python -m tests.fuzz --minutes 5 [TARGET …]`, by default a minute for every one."""

import argparse
import contextlib
import io
import os
import sys
import tempfile

from tests.fuzz.session import CORPUS, fuzz, instrument
from tests.fuzz.target import Target
from tests.support.memory_folder import find_temporary_folder


def main() -> int:
    """Return 1 if there were faults."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", metavar="TARGET", help="without any, all; a wrong one lists them")
    parser.add_argument("--minutes", type=float, default=1, help="for each target")
    given = parser.parse_args()
    with contextlib.redirect_stderr(io.StringIO()):  # atheris names every module
        instrument()
        from tests.fuzz.targets import TARGETS

    if unknown := sorted({*given.target} - {*TARGETS}):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    CORPUS.mkdir(exist_ok=True)
    failed = [name for name in given.target or TARGETS if not _is_without_fault(TARGETS[name], given.minutes * 60)]
    print(f"faults in {', '.join(failed)}" if failed else "no faults")
    return 1 if failed else 0


def _is_without_fault(target: Target, seconds: float) -> bool:
    """Fuzz in a process of its own, which has the instrumented modules already; what atheris says goes to a log."""
    log = CORPUS / f"{target.name}.log"
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="pycomfy-fuzz-", dir=find_temporary_folder()) as folder:
        process = os.fork()
        if process == 0:
            tempfile.tempdir = folder
            with log.open("wb") as file:
                os.dup2(file.fileno(), 2)
            fuzz(target, seconds)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code not in (0, 1):
        print(f"{target.name}: ended with {code}, see {log}; the input may be {CORPUS}/{target.name}-*", flush=True)
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
