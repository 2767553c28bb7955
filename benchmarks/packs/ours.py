"""An image with all packs, made by the command line as a user does it, and a workflow over nine of them run in it."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.packs.outcome import Outcome
from benchmarks.packs.served import Pack
from pycomfy.services.lock_request import read_lock
from pycomfy.services.project import host_platform
from pycomfy.services.verification import read_cached_definitions
from pycomfy.services.workspace import Workspace

NAME = "nine-packs"
WORKFLOW = Path(__file__).with_name("workflow.json")
CONFIG = Path(__file__).with_name("pycomfy.toml")


@dataclass(frozen=True)
class Ours:
    """`folder` gets the project, pycomfy's data and the outputs; what is built is in Nix's store and in the engine."""

    folder: Path
    day: str
    git: Mapping[str, str]

    @property
    def project(self) -> Path:
        return self.folder / NAME

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def build(self, packs: Sequence[Pack]) -> None:
        """Lock and build: what `lock` remarks is on standard error."""
        self.project.mkdir(parents=True, exist_ok=True)
        (self.project / "workflow.json").write_bytes(WORKFLOW.read_bytes())
        sections = (f'\n[packs.{pack.name}]\ngit = "{pack.url}"\nrev = "{pack.served}"\n' for pack in packs)
        config = f'name = "{NAME}"\nas-of = {self.day}\n{CONFIG.read_text()}{"".join(sections)}'
        (self.project / "pycomfy.toml").write_text(config)
        self._pycomfy("build", str(self.project), "--no-archive")

    def ask(self) -> Outcome:
        """What ComfyUI said when `build` started it in the image."""
        workspace = Workspace.open(self.folder / "home")
        lock = read_lock(self.project / "pycomfy.lock")
        answer = read_cached_definitions(workspace, lock, host_platform())
        assert answer is not None, "the build did not start the image"
        return Outcome.of(answer.types, {failure.pack: failure.message for failure in answer.failures})

    def run(self) -> Mapping[str, int]:
        """Run the workflow on the CPU; returns the sizes of the files that it made, by name."""
        self._pycomfy("run", NAME, "--output", str(self.output))
        return {path.name: path.stat().st_size for path in sorted(self.output.iterdir())}

    def _pycomfy(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pycomfy", *arguments]
        subprocess.run(command, check=True, env=self._environment(), stdout=sys.stderr)

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, **self.git, "PYCOMFY_HOME": str(self.folder / "home")}
