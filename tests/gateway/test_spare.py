"""A ComfyUI that is held before it loads its node packs, and gets other code of them."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.spare import ORDER
from tests.gateway.image import Image
from tests.support.waiting import HANG, wait_until

NODES = """
import os, sys

BEGIN init_external_custom_nodes():
    for name in os.listdir("custom_nodes"):
        print("loaded", name, open(f"custom_nodes/{name}/code.py").read(), "PYCOMFY_HOLD" in os.environ, flush=True)
"""
START = """
import asyncio, inspect, nodes
print("as far as its node packs", flush=True)
loaded = nodes.init_external_custom_nodes()
if inspect.iscoroutine(loaded):
    asyncio.run(loaded)
"""


@pytest.fixture(params=["async def", "def"])
def comfyui(image: Image, request: pytest.FixtureRequest) -> Path:
    """A ComfyUI with two packs that loads them as those after or before 0.3.46 do."""
    folder = image.root / "ComfyUI"
    (folder / "nodes.py").write_text(NODES.replace("BEGIN", request.param))
    server = (folder / "main.py").read_text()
    parsed = "given = parser.parse_args()\n"
    assert parsed in server
    (folder / "main.py").write_text(server.replace(parsed, parsed + START))
    for name in ("first", "second"):
        write_pack(folder / "custom_nodes" / name, "old")
    return folder


def write_pack(folder: Path, code: str, file: str = "code.py") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(code)


class Asked:
    """An `object-info` that waits for an order in the folder `packs`."""

    def __init__(self, image: Image) -> None:
        self.packs = image.root / "packs"
        self.packs.mkdir()
        self.log = image.root / "log"
        with self.log.open("wb") as log:
            command = [*image.command, "object-info", f"--packs={self.packs}"]
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log)

    def order(self, *changed: str, removed: tuple[str, ...] = ()) -> None:
        (self.packs / "new").write_text(json.dumps({"changed": changed, "removed": removed}))
        (self.packs / "new").replace(self.packs / ORDER)

    def end(self) -> tuple[int, Any]:
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.read())
        return self.process.wait(HANG), answer

    def loaded(self) -> Mapping[str, list[str]]:
        words = [line.split() for line in self.log.read_text().splitlines() if line.startswith("loaded")]
        return {name: rest for _, name, *rest in words}


@pytest.fixture
def asked(image: Image, comfyui: Path) -> Iterator[Asked]:
    asked = Asked(image)
    yield asked
    asked.process.kill()
    asked.process.communicate()


def test_packs_are_loaded_with_the_code_that_is_given_later(asked: Asked) -> None:
    wait_until(lambda: "as far as its node packs" in asked.log.read_text())
    assert not asked.loaded()
    write_pack(asked.packs / "second", "new")
    asked.order("second")
    status, answer = asked.end()
    assert status == 0 and answer["object_info"]["Exit"]["output_node"] is True
    assert asked.loaded() == {"first": ["old", "False"], "second": ["new", "False"]}


def test_an_order_that_is_there_before_comfyui_waits_is_carried_out(asked: Asked) -> None:
    asked.order(removed=("first",))
    assert asked.end()[0] == 0
    assert list(asked.loaded()) == ["second"]


def test_packs_keep_the_order_in_which_they_are_loaded(asked: Asked) -> None:
    wait_until(lambda: "as far as its node packs" in asked.log.read_text())
    before = [path.name for path in (asked.packs.parent / "tmp" / "ComfyUI" / "custom_nodes").iterdir()]
    for name in before:
        write_pack(asked.packs / name, "new")
    asked.order(*before)
    assert asked.end()[0] == 0
    assert list(asked.loaded()) == before


def test_nobody_waits_for_what_nobody_asks_any_more(asked: Asked) -> None:
    assert asked.process.stdin is not None
    asked.process.stdin.close()
    status, answer = asked.end()
    assert status == 1 and "standard input ended" in answer["error"]
    asked.process.stdin = None


def test_a_pack_that_acts_before_comfyui_is_imported_is_not_given(asked: Asked) -> None:
    write_pack(asked.packs / "first", "", "prestartup_script.py")
    asked.order("first")
    status, answer = asked.end()
    assert status == 1 and answer["error"] == "first has a script that runs before ComfyUI is imported"


def test_a_comfyui_that_ends_before_is_told(image: Image, comfyui: Path) -> None:
    (comfyui / "nodes.py").write_text("raise SystemExit(1)")
    asked = Asked(image)
    status, answer = asked.end()
    assert status == 1 and answer["error"] == "ComfyUI exited with status 1 before it was asked"
    asked.process.communicate()
