"""The edit loop with the real ComfyUI: what it answers in reserve, `dev` from a change to the editor, and `build`."""

import base64
import contextlib
import json
import secrets
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import provide
from pycomfy.adapters.containers.node_definitions import fetch_node_definitions
from pycomfy.adapters.containers.reserve import About, Reserve
from tests.stories.conftest import ROOT, Demo
from tests.support.waiting import HANG, wait_until

pytestmark = pytest.mark.story

PYCOMFY = str(ROOT / ".venv/bin/pycomfy")
PACK = "hello-card"
NAME = "pycomfy-story-dev"


@pytest.fixture
def folder(demo: Demo, made: Mapping[str, Any], tmp_path: Path) -> Path:
    """The demo's workflow with its node pack as a folder that is edited."""
    folder = tmp_path / "mine"
    shutil.copytree(ROOT / "examples" / "packs" / PACK, folder / "packs" / PACK)
    shutil.copy(demo.folder / "workflow.json", folder)
    config = (demo.folder / "pycomfy.toml").read_text()
    assert f'git = "packs/{PACK}"' in config
    (folder / "pycomfy.toml").write_text(
        f'name = "{NAME}"\n' + config.replace(f'git = "packs/{PACK}"', f'path = "packs/{PACK}"')
    )
    return folder


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / "packs" / PACK / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def find_data(demo: Demo) -> Path:
    return Path(demo.environment["HOME"], ".local/share/pycomfy")


@pytest.fixture
def keeping(demo: Demo) -> Iterator[Demo]:
    """The demo of a user whose builds leave a ComfyUI in reserve."""
    yield replace(demo, environment={**demo.environment, "PYCOMFY_RESERVE": "600"})
    Reserve(find_data(demo), 0).end_all()


def containers() -> str:
    command = ["podman", "ps", "--all", "--format", "{{.Image}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def build(demo: Demo, engine: Engine, folder: Path) -> StartableImage:
    made = demo.pycomfy("build", str(folder), "--no-prove")
    return provide(engine, read_layout(Path(made["oci"])), NAME)


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "failing"])
def test_a_comfyui_in_reserve_answers_as_the_image_with_that_code(
    demo: Demo, engine: Engine, folder: Path, tmp_path: Path, broken: bool
) -> None:
    reserve = Reserve(tmp_path / "reserve", 600)
    made = demo.pycomfy("build", str(folder), "--no-prove")
    reserve.start(About("a" * 64, NAME, "the lock", made["oci"], engine.kind))
    try:
        edit(folder, "nodes.py", '"default": 1024', '"default": 512')
        edit(folder, "nodes.py", "import numpy", "print('Warning: hello-card is new')\nimport numpy")
        if broken:
            edit(folder, "card.py", "import segno", "import no_such_module")
        warm = reserve.ask(reserve.list()[0], {PACK: folder / "packs" / PACK}, [], tmp_path / "warm.log")
    finally:
        reserve.end_all()
        shutil.rmtree(reserve.folder)
    assert warm is not None
    (tmp_path / "data").mkdir()
    cold = fetch_node_definitions(engine, build(demo, engine, folder), tmp_path / "data", tmp_path / "cold.log")
    assert list(warm.types) == list(cold.types) and json.dumps(warm.types) == json.dumps(cold.types)
    assert (warm.failures, warm.remarks, warm.comfyui_version) == (cold.failures, cold.remarks, cold.comfyui_version)
    assert [failure.pack for failure in warm.failures] == ([PACK] if broken else [])
    assert bool(warm.remarks) and ("HelloSky" in warm.types) is not broken


class Session:
    """A `dev` that runs; its JSON, a line for each change."""

    def __init__(self, started: "subprocess.Popen[bytes]", out: IO[bytes], log: Path) -> None:
        self.started, self.out, self.log = started, out, log

    def next(self) -> Any:
        return json.loads(self.out.readline())

    def editor(self) -> str:
        """The address of the editor, with its key."""

        def found() -> str:
            words = self.log.read_text().split()
            return next((word for word in words if word.endswith("/comfyui/")), "")

        wait_until(lambda: bool(found()))
        return found()


@contextlib.contextmanager
def developing(demo: Demo, folder: Path, log: Path) -> Iterator[Session]:
    command = [PYCOMFY, "dev", str(folder), "--port", "0", "--json"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, env=demo.environment, stdout=subprocess.PIPE, stderr=errors) as started,
    ):
        assert started.stdout is not None
        try:
            yield Session(started, started.stdout, log)
            started.send_signal(signal.SIGINT)
            assert started.wait(HANG) == 0
        finally:
            started.kill()


def fetch(url: str, key: str | None) -> tuple[int, bytes]:
    request = urllib.request.Request(url)
    if key is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(key.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=HANG) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, b""


def test_a_change_is_built_told_and_opened_in_the_editor(keeping: Demo, folder: Path, tmp_path: Path) -> None:
    with developing(keeping, folder, tmp_path / "log") as session:
        first = session.next()
        assert first["built"] is not None and first["problems"] == [] and first["failures"] == []
        address = session.editor()
        scheme, _, rest = address.partition("://")
        key, _, place = rest.partition("@")
        assert place.startswith("127.0.0.1:")
        assert fetch(f"{scheme}://{place}", None)[0] == fetch(f"{scheme}://{place}", "dev:wrong-key")[0] == 401
        status, page = fetch(f"{scheme}://{place}", key)
        assert status == 200 and b"<title>ComfyUI" in page

        edit(folder, "card.py", "import segno", "import no_such_module")
        broken = session.next()
        assert broken["built"] is None and sorted(broken["removed"]) == ["HelloCard", "HelloSky"]
        assert broken["failures"] == [
            {"schema_version": 1, "pack": PACK, "error": "ModuleNotFoundError: No module named 'no_such_module'"}
        ]
        assert fetch(f"{scheme}://{place}", key)[0] == 200, "the editor stays on the last one that works"

        edit(folder, "card.py", "import no_such_module", "import segno")
        mended = session.next()
        assert sorted(mended["added"]) == ["HelloCard", "HelloSky"] and not mended["built"]["new"]

        edit(folder, "nodes.py", '"default": 1024', '"default": 512')
        changed = session.next()
        assert changed["built"]["new"] and changed["changed"] == {"HelloSky": ["width: default 1024 → 512"]}
    # What dev left in reserve is for the next build, too, and answers as the image.
    edit(folder, "nodes.py", '"default": 512', f'"default": {600 + secrets.randbelow(400)}')  # hardly any store has it
    built = keeping.pycomfy("build", str(folder))
    assert built["new"] and built["layers_built"] == 2, "built once, with the prompt"
    wait_until(lambda: NAME in containers())  # it starts after the build has ended
    assert Reserve(find_data(keeping), 0).end_all() == 1 and NAME not in containers()
    again = keeping.pycomfy("build", str(folder), "--no-prove")
    assert again["manifest_digest"] == built["manifest_digest"]
