"""The example with pycomfy, by its commands alone: what a user waits for, from the command to its end."""

import contextlib
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.image.example import FIRST, Example, change_pack
from benchmarks.image.place import Place, timed

PYCOMFY = Path(sys.executable).with_name("pycomfy")
HANG = 600.0

_RESERVE = "PYCOMFY_RESERVE=60"
"""A ComfyUI waits for the next change, and not for long: what is measured afterwards is without."""


@dataclass(frozen=True)
class Ours:
    place: Place
    example: Example

    def pycomfy(self, *arguments: str, offline: bool = False) -> Any:
        """Run a command, and return its JSON."""
        return json.loads(self.place.run(PYCOMFY, *arguments, "--json", offline=offline))

    def lock(self) -> None:
        self.pycomfy("lock", str(self.example.folder))

    def build(self, *, offline: bool = False) -> Any:
        """Return what `pycomfy build` prints of the image, which it has started, verified, recorded and archived."""
        built = self.pycomfy("build", str(self.example.folder), offline=offline)
        assert built["new"] and built["archived"], built
        return built

    def start(self) -> None:
        """Start a server of the first version; it ends once it was ready."""
        command = self.place.command(PYCOMFY, "run", FIRST, "--serve", "--port", "0", "--json")
        with _started(command, self.place) as process:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert any(line == "}\n" for line in lines), "the server ended"

    def change_packs_and_build(self, times: int) -> float:
        """Return the seconds of `pycomfy build` after one file of the node pack was changed, with nothing in
        reserve."""
        found = []
        for _ in range(times):
            change_pack(self.example.pack)
            found.append(timed("pycomfy build, one file of the pack changed", self.build))
        return statistics.median(found)

    def change_packs_with_reserve(self, times: int, pause: float) -> float:
        """Return the seconds of the same where the build before left a ComfyUI in reserve, and ended `pause` seconds
        ago."""

        def build() -> None:
            words = ("env", _RESERVE, PYCOMFY, "build", str(self.example.folder), "--json")
            built = json.loads(self.place.run(*words))
            assert built["new"] and built["archived"], built

        change_pack(self.example.pack)
        build()
        found = []
        for _ in range(times):
            time.sleep(pause)
            change_pack(self.example.pack)
            found.append(timed("pycomfy build, one file of the pack changed, ComfyUI in reserve", build))
        return statistics.median(found)

    def change_packs_in_dev(self, times: int, pause: float) -> float:
        """Return the seconds from a changed file of the node pack to the line of a running `pycomfy dev` which says
        that its image is built and verified, where `pause` seconds are between one line and the next change."""
        command = self.place.command("env", _RESERVE, PYCOMFY, "dev", str(self.example.folder), "--port", "0", "--json")
        found = []
        with _started(command, self.place) as process:
            assert process.stdout is not None
            lines = process.stdout

            def wait() -> None:
                line = lines.readline()
                told = json.loads(line or "{}")
                assert told.get("built") and told["built"]["archived"] and not told["problems"], line

            wait()
            for _ in range(times):
                time.sleep(pause)
                change_pack(self.example.pack)
                found.append(timed("pycomfy dev, one file of the pack changed", wait))
        return statistics.median(found)


@contextlib.contextmanager
def _started(command: list[str], place: Place) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs while the block does, and is ended as Ctrl-C ends it."""
    log = place.folder / "log"
    with (
        log.open("a") as errors,
        subprocess.Popen(
            command, env=place.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(HANG) == 0, log.read_text()[-3000:]
        except AssertionError as e:
            e.add_note(log.read_text()[-3000:])
            raise
        finally:
            process.kill()
