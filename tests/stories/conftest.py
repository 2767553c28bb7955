"""The demo, made once in a fresh home folder; every story starts from what it left."""

import fcntl
import json
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import provide
from pycomfy.adapters.io.file_locks import exclusive_lock, try_lock, wait_for_lock
from tests.stories.frontend.chromium import find_chromium
from tests.stories.gateway import sdk
from tests.stories.gateway.container import Container, serving

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Demo:
    """`folder` has the workflow, its lock and the outputs; `environment` is that of a user with a fresh home folder."""

    folder: Path
    environment: dict[str, str]

    def make(self) -> dict[str, Any]:
        """Run the demo; what `build --json` and `run --json` said."""
        command = [str(ROOT / "scripts" / "demo.sh"), str(self.folder)]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "What to try next" in done.stdout
        result = {name: json.loads((self.folder / f"{name}.json").read_text()) for name in ("build", "run")}
        return {**result, "stdout": done.stdout, "stderr": done.stderr}

    def pycomfy(self, *arguments: str, status: int = 0) -> Any:
        """The JSON of a command."""
        command = [str(ROOT / ".venv/bin/pycomfy"), *arguments, "--json"]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def demo(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all processes. The tests that change it are in one of them: see `tests/support/scheduling.py`."""
    place = shared_folder(tmp_path_factory) / "demo"
    home = place / "home"
    # A user's Python keeps what it prints into a pipe.
    others = ("PYCOMFY_", "XDG_", "PYTHONUNBUFFERED")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(others)}
    with place.with_name("demo-in-use").open("a") as in_use:
        wait_for_lock(in_use.fileno(), fcntl.LOCK_SH)
        home.mkdir(parents=True, exist_ok=True)
        yield Demo(place / "hello", {**environment, "HOME": str(home), "PYCOMFY_RESERVE": "0"})
        if try_lock(in_use.fileno(), fcntl.LOCK_EX):
            shutil.rmtree(place, ignore_errors=True)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of pytest, the same for all its processes."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def made(demo: Demo) -> dict[str, Any]:
    """What `demo.make()` said first, in whichever process."""
    said = demo.folder.with_name("made.json")
    with exclusive_lock(demo.folder.with_name("making")):
        if not said.exists():
            said.write_text(json.dumps(demo.make()))
    result: dict[str, Any] = json.loads(said.read_text())
    return result


@pytest.fixture(scope="session")
def hello_image(engine: Engine, made: dict[str, Any]) -> StartableImage:
    """The demo's image for the engine."""
    return provide(engine, read_layout(Path(made["build"]["oci"])), "pycomfy-story")


@pytest.fixture(scope="session")
def gateway(
    engine: Engine, hello_image: StartableImage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """A gateway without any network, for all the stories that leave it as it is."""
    with serving(engine, hello_image, tmp_path_factory.mktemp("gateway")) as container:
        yield container


@pytest.fixture(scope="session")
def sdk_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with comfy-sdk and comfy-api-proxy."""
    return sdk.install(tmp_path_factory.mktemp("sdk") / "venv")


@pytest.fixture
def browser() -> str:
    program = find_chromium()
    if program is None or not (ROOT / "web/node_modules/playwright-core").is_dir():
        pytest.skip("no chromium: scripts/setup.sh story")
    return program


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where the pictures go: PYCOMFY_PICTURES, to keep them."""
    folder = Path(os.environ.get("PYCOMFY_PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def red_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def picture(run: dict[str, Any]) -> Path:
    (output,) = run["outputs"]
    assert output["media_type"] == "image/png"
    return Path(output["path"])
