"""The resolver's story: from nothing but a workflow file, by the words of each refusal, to an image that is proven.

Its nodes are in three packs of a local GitHub (`forge`): one that may be another one's, one that renamed its class, and
one whose requirements contradict ComfyUI's, and that does not say all of them.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.io import process
from tests.stories.conftest import ROOT
from tests.support.forge import CAPTION, GITHUB, SKY, make_forge, served
from tests.support.repositories import git

pytestmark = pytest.mark.story

NEEDS = 12e9  # bytes of disk, if nothing of the demo is in the store yet: wheels and layers


def _node(number: int, type_: str, *values: object) -> dict[str, object]:
    """A node of a chain, which takes link NUMBER - 1 and gives link NUMBER."""
    name = "images" if type_ == "SaveImage" else "image"
    return {
        "id": number,
        "type": type_,
        "pos": [300 * number, 0],
        "mode": 0,
        "inputs": [{"name": name, "type": "IMAGE", "link": number - 1}] if number > 1 else [],
        "outputs": [] if type_ == "SaveImage" else [{"name": "IMAGE", "type": "IMAGE", "links": [number]}],
        "widgets_values": list(values),
    }


WORKFLOW = {
    "version": 0.4,
    "last_node_id": 4,
    "last_link_id": 3,
    "nodes": [
        _node(1, "PaintSky", 64, 48, 200, 100, 50),
        _node(2, "WriteCaption", "Good evening"),
        _node(3, "AddFrame", 4),
        _node(4, "SaveImage", "three"),
    ],
    "links": [[n, n, 0, n + 1, 0, "IMAGE"] for n in (1, 2, 3)],
}


@dataclass(frozen=True)
class User:
    """Somebody with a fresh home folder, and a folder with one file."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, status: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [ROOT / ".venv/bin/pycomfy", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr or status in (1, 3)
        return done

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status).stdout)

    def refused(self, *arguments: str) -> str:
        """What one refusal says, in one line."""
        told = self.run(*arguments, status=1).stderr
        assert told.count("error: ") == told.count("where: ") == told.count("fix: ") == 1, told
        return " ".join(told.split())

    def paste(self, told: str) -> str:
        """Write the line that a message proposes into pycomfy.toml, as it stands there."""
        ((instead, line),) = re.findall(r"pycomfy\.toml([^:=]*): (\w+ = \[[^]]*\])", told)
        path = self.folder / "pycomfy.toml"
        lines = path.read_text().splitlines() if path.exists() else []
        if "in place of" in instead:
            lines = [old for old in lines if old.split(" = ")[0] != line.split(" = ")[0]]
        path.write_text("\n".join([*lines, line, ""]))
        tomllib.loads(path.read_text())
        return str(line)


@pytest.fixture(scope="module")
def user(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    place = tmp_path_factory.mktemp("three")
    if (free := shutil.disk_usage(place).free) < NEEDS:
        pytest.skip(f"{free / 1e9:.0f} GB free, the story needs {NEEDS / 1e9:.0f}")
    for name in ("home", "work"):
        (place / name).mkdir()
    make_forge(place / "forge")
    (place / "work" / "three.json").write_text(json.dumps(WORKFLOW))
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PYCOMFY_", "XDG_", "GIT_"))}
    with served(place / "forge") as github:
        # As in a company with a mirror: its address in place of GitHub's, for every program that uses git.
        (place / "home" / ".gitconfig").write_text(f'[url "{github}"]\n\tinsteadOf = {GITHUB}\n')
        environment = {
            **own,
            "HOME": str(place / "home"),
            "PYCOMFY_REGISTRY": "http://127.0.0.1:9",
            "COLUMNS": "200",
            "PYCOMFY_RESERVE": "0",
        }
        yield User(place / "work", environment)
    shutil.rmtree(place, ignore_errors=True)
    process.run(engine.command("rmi", "--force", "localhost/pycomfy/three"))


def test_from_nothing_but_a_workflow_to_a_verified_image(user: User, engine: Engine) -> None:
    # 1. Two packs have PaintSky.
    told = user.refused("lock", "three.json")
    assert '"PaintSky": 2 known node packs provide it' in told and "node 1 of three.json" in told
    assert (
        "ann/ComfyUI-Skies (140 stars, updated 2025-11-01, fits 1 of 1 inputs and outputs)" in told
        and "bob/sky-nodes (12 stars, fits 1 of 1 inputs and outputs)" in told
    )
    assert user.paste(told) == 'prefer = ["ann/ComfyUI-Skies"]'

    # 2. ComfyUI wants pydantic 2, a pack wants an older one.
    told = user.refused("lock", "three.json")
    assert "ComfyUI requires pydantic~=2.0" in told and "pack ComfyUI-Frames requires pydantic<2" in told
    assert user.paste(told).startswith('overrides = ["pydantic==2.')

    # 3. It locks; the class that was renamed comes from the commit that last had it.
    explained = " ".join(user.run("lock", "three.json", "--explain").stdout.split())
    assert "as of 2025-12-05T00:00:00Z" in explained and "ComfyUI 0.3.75" in explained
    assert "PaintSky: ComfyUI-Skies (preference: you prefer this pack)" in explained
    assert "ComfyUI-Captions: the newest commit lacks WriteCaption; this is the last commit with it" in explained
    assert "imports segno" in explained, "the scan has seen it already, and proposes the line"
    lock = json.loads((user.folder / "pycomfy.lock").read_text())
    sources = {pack["name"]: pack["source"] for pack in lock["packs"]}
    assert {s["url"] for s in sources.values()} >= {SKY, CAPTION}
    forge = user.folder.parent / "forge" / CAPTION.removeprefix(GITHUB)
    renaming = git(forge, "log", "--format=%H", "-S", "DrawCaption", "--", "__init__.py")
    assert sources["ComfyUI-Captions"]["commit"] == git(forge, "rev-parse", f"{renaming}^")

    # 4. Who does not listen hears it from the image: it is started, and refused. One pack lacks a package, and another
    # one is of a time with an older one. Both are told with what was tried, and helps.
    told = " ".join(user.run("build", "three.json", "--no-archive", status=1).stderr.split())
    assert told.count("error: ") == 2
    captions, frames = told[told.index("error: ") :].split("error: ")[1:]
    assert "the node pack ComfyUI-Captions cannot be imported: cannot import name 'LegacyVersion'" in captions
    assert "the node pack ComfyUI-Frames cannot be imported: No module named 'segno'" in frames
    assert 'node type "AddFrame": node 3 of three.json' in frames and "Traceback (most recent call last)" in frames
    assert "no workflow" in " ".join(user.run("show", "three", status=1).stderr.split()), "nothing was recorded"
    assert user.paste(frames) == 'requirements = ["segno"]'
    assert re.fullmatch(r'overrides = \["pydantic==2[0-9.]*", "packaging==21.3"\]', user.paste(captions))
    assert "this was tried" in captions and "this was tried" in frames

    # 5. `build` sees that more is asked for than was locked, and the image has every node.
    built = user.run("build", "three.json", "--no-archive")
    assert "pycomfy.toml was changed after it was locked: locking three.json" in built.stderr
    assert "three@1, a new version" in built.stdout
    lock = json.loads((user.folder / "pycomfy.lock").read_text())
    wheels = {w["name"]: w["version"] for w in lock["platforms"]["linux/amd64"]["wheels"]}
    assert wheels["pydantic"].startswith("2.") and "segno" in wheels

    # 6. It says so again whenever it is asked, by name or by folder.
    for target in ("three", "."):
        checked = user.json("check", target)
        assert checked["compatible"] and checked["version"] == 1 and checked["problems"] == []
        parts = {part["name"]: (part["compatible"], part["types"]) for part in checked["parts"]}
        assert parts == {
            "ComfyUI": (True, ["SaveImage"]),
            "ComfyUI-Captions": (True, ["WriteCaption"]),
            "ComfyUI-Frames": (True, ["AddFrame"]),
            "ComfyUI-Skies": (True, ["PaintSky"]),
        }
    assert "ComfyUI-Frames (works)" in user.run("show", "three").stdout

    # 7. And its picture has been through all three.
    (output,) = user.json("run", "three", "--output", "out")["outputs"]
    pixels = read_png(Path(user.folder, output["path"]).read_bytes())
    assert (len(pixels[0]), len(pixels)) == (64, 48)
    assert pixels[24][40] == (200, 100, 50), "the sky"
    negative = pixels[24][20]
    assert all(abs(a + b - 255) <= 1 for a, b in zip(negative, (200, 100, 50), strict=True)), "where the caption is"
    assert {pixels[y][x] for x, y in ((1, 0), (63, 47), (3, 24), (60, 24), (30, 3), (30, 44))} == {(0, 0, 0)}
    assert pixels[4][4] != (0, 0, 0) and pixels[0][0] == (255, 255, 255), "the frame, and segno's mark in its corner"

    # 8. One of the packs writes beside its code and into ComfyUI's folder, and lists ComfyUI's `models`: it finds what
    # is mounted, can write beside it, and nothing of that is kept.
    (user.folder / "models" / "skies").mkdir(parents=True)
    (user.folder / "models" / "skies" / "night.json").write_text("[0, 0, 100]")
    for _ in range(2):
        (output,) = user.json("run", "three", "--models", "models", "--output", "night")["outputs"]
        assert read_png(Path(user.folder, output["path"]).read_bytes())[24][40] == (0, 0, 100)
    assert [path.name for path in (user.folder / "models" / "skies").iterdir()] == ["night.json"]


def read_png(data: bytes) -> list[list[tuple[int, int, int]]]:
    """Rows of pixels of an RGB picture of 8 bits."""
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    assert (depth, colour) == (8, 2)
    at, packed = 8, b""
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        packed += data[at + 8 : at + 8 + size] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += size + 12
    raw, stride = zlib.decompress(packed), 3 * width
    before, rows = bytearray(stride), []
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for i in range(stride):
            left, up, corner = line[i - 3] if i > 2 else 0, before[i], before[i - 3] if i > 2 else 0
            near = min((left, up, corner), key=lambda n, p=left + up - corner: abs(p - n))  # type: ignore[misc]
            line[i] = (line[i] + (0, left, up, (left + up) // 2, near)[kind]) & 255
        rows.append([(line[i], line[i + 1], line[i + 2]) for i in range(0, stride, 3)])
        before = line
    return rows
