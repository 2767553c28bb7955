"""Fuzz one target with atheris until the time is over, and keep an input for every fault found, minimised."""

import hashlib
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tests.fuzz.check import Fault
    from tests.fuzz.target import Target

HERE = Path(__file__).parent

FAULTS = HERE / "faults"
"""A folder for each target, with the inputs that once showed a fault; each is named by its own hash."""

CORPUS = HERE.parents[1] / ".fuzz"
"""A folder for each target, with the inputs that took new ways through the code. It is not in the repository."""


class Session:
    """One target's fuzzing."""

    def __init__(self, target: "Target", seconds: float) -> None:
        self.target = target
        self.folder = Path(tempfile.mkdtemp())
        self.end = time.monotonic() + seconds
        self.seconds = seconds
        self.runs = 0
        self.faults: dict[str, Fault] = {}

    def run(self, data: bytes) -> None:
        """Try one input; keep it if it shows a fault that none before did."""
        self.runs += 1
        fault = self._check(data)
        if fault is not None and fault.key not in self.faults:
            self.faults[fault.key] = fault
            self._keep(data, fault)
        if time.monotonic() > self.end:
            self.finish()

    def finish(self) -> NoReturn:
        """Say how it went, and exit the process, with 1 if there were faults."""
        used = f"{self.seconds:.0f} s, {_processor_seconds():.0f} s of the processor"
        print(f"{self.target.name}: {self.runs} inputs, {used}, {len(self.faults)} faults", flush=True)
        os._exit(1 if self.faults else 0)

    def _check(self, data: bytes) -> "Fault | None":
        from tests.fuzz.check import check

        return check(self.target, data, self.folder / "input")

    def _keep(self, data: bytes, fault: "Fault") -> None:
        from tests.fuzz.minimise import minimise

        def shows(smaller: bytes) -> bool:
            found = self._check(smaller)
            return found is not None and found.key == fault.key

        smallest = minimise(data, self.target.format, shows)
        kept = FAULTS / self.target.name / hashlib.sha256(smallest).hexdigest()[:16]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(smallest)
        print(f"fault in {self.target.name}: {fault.key}\n  {kept}\n{fault.text}", flush=True)


def _processor_seconds() -> float:
    """Return how long this process and those that it started, such as git, have computed."""
    each = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in each)


def list_faults(name: str) -> list[Path]:
    """Return the inputs of a target that once showed a fault."""
    folder = FAULTS / name
    return sorted(folder.iterdir()) if folder.is_dir() else []


def instrument() -> None:
    """Let atheris see which ways are taken through the modules of pycomfy that are imported from here on."""
    import atheris  # only those who fuzz have it

    # Until the process ends: many modules are imported where they are needed.
    atheris.instrument_imports(include=["pycomfy"]).__enter__()


def fuzz(target: "Target", seconds: float) -> NoReturn:
    """Fuzz one target, and exit the process, with 1 if there were faults: atheris ends the process that it runs in. The
    caller removes what is temporary."""
    import atheris

    from tests.fuzz.mutation import MAX_BYTES, mutate

    corpus = CORPUS / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in (*target.seeds(), *(file.read_bytes() for file in list_faults(target.name))):
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    session = Session(target, seconds)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.2:
            return bytes(atheris.Mutate(data, max_size))
        return mutate(data, target.format, random)[:max_size]

    options = (f"-max_len={MAX_BYTES}", "-rss_limit_mb=4096", "-timeout=120", "-verbosity=0", "-len_control=0")
    artefacts = f"-artifact_prefix={CORPUS}/{target.name}-"
    atheris.Setup([sys.argv[0], *options, artefacts, str(corpus)], session.run, custom_mutator=change)
    atheris.Fuzz()
    os._exit(1)
