"""The same lock, byte for byte, wherever, whenever and in whichever order it is asked for."""

import json
import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.cli_projects import COMFYUI, Place, Surroundings
from tests.support.repositories import commit

PACKS = {"one": ("A", "B"), "two": ("C",), "three": ("D", "E"), "four": ("F",)}
TYPES = ("SaveImage", "A", "B", "C", "D", "E", "F")
WANTS = ("base>=1", "newbase", "extra", "Other.Name>=0.5", "third; python_version > '3'")
APT = ("big", "tini")

ELSEWHERE = {
    "TZ": "Pacific/Kiritimati",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "tr_TR.UTF-8",
    "LANGUAGE": "ar",
    "PYTHONHASHSEED": "12345",
    "PYTHONUTF8": "0",
    "COLUMNS": "40",
    "GIT_AUTHOR_DATE": "1999-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "1999-01-01T00:00:00Z",
    "GIT_OPTIONAL_LOCKS": "0",
    "SOURCE_DATE_EPOCH": "1",
}
GITCONFIG = (
    "[core]\n\tautocrlf = true\n\tfileMode = false\n\tquotePath = false\n\tsymlinks = false\n"
    "[log]\n\tdate = relative\n\tshowSignature = true\n[fetch]\n\tprune = true\n[diff]\n\tnoprefix = true\n"
)


def code(types: tuple[str, ...]) -> str:
    return "class N: pass\r\nNODE_CLASS_MAPPINGS = {" + ", ".join(f"{t!r}: N" for t in types) + "}\n"


def make(place: Place, shuffle: random.Random) -> None:
    """The same wishes, each list of them in an order of its own."""

    def mixed(items: tuple[str, ...]) -> list[str]:
        return shuffle.sample(items, len(items))

    for name in mixed(tuple(COMFYUI)):
        place.write(f"ComfyUI/{name}", COMFYUI[name])
    blocks = ['[comfyui]\npath = "ComfyUI"\n']
    for name in mixed(tuple(PACKS)):
        commit(place.work / name, {"__init__.py": code(PACKS[name]), "sub/ü.txt": "x\r\n"}, date="2025-03-01T00:00:00Z")
        wants = json.dumps(mixed(WANTS[:3]))
        blocks.append(f'[packs.{name}]\ngit = "{name}"\nrequirements = {wants}\n')
    head = (
        f"requirements = {json.dumps(mixed(WANTS))}\napt = {json.dumps(mixed(APT))}\n"
        'platforms = ["linux/amd64"]\nname = "same"\n'
    )
    place.write("pycomfy.toml", head + "".join(mixed(tuple(blocks))))
    place.workflow(*mixed(TYPES))


def lock(place: Place, env: Mapping[str, str] | None = None, umask: str = "022") -> str:
    """The lock's text without the hash of the workflow's file, in which nodes have an order."""
    outcome = place.run_process("lock", ".", prefix=["sh", "-c", f'umask {umask}; exec "$0" "$@"'], env=env)
    assert outcome.status == 0, outcome.err
    text = place.lock.read_text()
    return text.replace(json.loads(text)["workflow"]["sha256"], "(the workflow)")


@pytest.fixture
def stocked(surroundings: Surroundings) -> Surroundings:
    for name in ("extra", "other-name", "third"):
        surroundings.index.add(name, "1.0", needs=["base"], tags=["py3-none-any"])
    return surroundings


def test_a_lock_is_the_same_from_another_cache_order_place_and_surroundings(
    tmp_path: Path, stocked: Surroundings
) -> None:
    first = Place.new(tmp_path / "first", stocked.env)
    make(first, random.Random(0))
    expected = lock(first)
    second = Place.new(tmp_path / "quite" / "another place ü", stocked.env)
    (Path(second.env["HOME"]) / ".gitconfig").write_text(GITCONFIG)
    make(second, random.Random(1))
    assert lock(second, ELSEWHERE, umask="077") == expected
    assert str(tmp_path) not in expected
    # And once more, where everything is known already.
    second.lock.unlink()
    assert lock(second, {**ELSEWHERE, "PYTHONHASHSEED": "7"}) == expected
    assert os.environ["PATH"] not in expected
