from typing import Any

import pytest

from pycomfy.core.interface.model import Interface, Parameter, Target
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.schema import Pack, parse_lock, render_lock
from pycomfy.core.nix.project import render_json
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.url import UrlSource
from pycomfy.core.sources.wheel_tree import WheelTreeSource
from pycomfy.core.versions.checkout_files import local_sources, working_files
from pycomfy.core.versions.snapshot import read_snapshot
from tests.support.service_projects import TREE, make_files

GIVEN = b"""
name = "given"
apt = ["ffmpeg"]
requirements = ["numpy<3"]
overrides = ["pillow==11.0"]
accelerator = "cu128"
find-links = ["./wheels"]
prefer = ["owner/painter"]
families = { opencv = "opencv-python-headless" }

[wheels.insightface]
compiler = true
apt = ["libx11-dev"]

[[index]]
name = "own"
url = "https://x.test/simple"
packages = ["q"]
dated = false

[packs.painter]
git = "https://x.test/p"
requirements = ["scipy"]
types = ["Made \\"up\\""]
lfs = false
submodules = false

[inputs]
steps = "2.steps"

[[models]]
folder = "vae"
name = "a.safetensors"
url = "https://x.test/a"

[debian]
mirror = "https://x.test/debian"
"""


def working(files: dict[str, bytes], name: str = "hello") -> Any:
    made = working_files(name, read_snapshot("x", files), files)
    assert set(made) == {"workflow.json", "pycomfy.lock", "pycomfy.toml"}
    return parse_config(made["pycomfy.toml"].decode()), made


def test_the_configuration_pins_what_the_lock_pins() -> None:
    files = make_files("hello")
    config, made = working(files)
    assert (config.name, config.python, config.platforms) == ("hello", "3.11", ("linux/amd64",))
    assert config.packs["painter"].rev == "d" * 40
    assert f"{config.as_of:%Y-%m-%dT%H:%M:%SZ}" == "2025-12-05T00:00:00Z"
    assert (made["workflow.json"], made["pycomfy.lock"]) == (files["workflow.json"], files["pycomfy.lock"])


def test_what_the_user_asked_for_besides_is_kept() -> None:
    config, _ = working({**make_files("hello"), "pycomfy.toml": GIVEN})
    given = parse_config(GIVEN.decode())
    pinned = {"name", "as_of", "python", "suite", "platforms", "comfyui", "packs"}
    assert config.model_dump(exclude=pinned) == given.model_dump(exclude=pinned)
    pack = config.packs["painter"]
    assert (pack.requirements, pack.types, pack.lfs) == (("scipy",), ('Made "up"',), False)


def test_inputs_that_nobody_chose_are_left_to_be_chosen_again() -> None:
    """Naming them would make another interface, and so another version."""
    parameter = Parameter(name="count", type="integer", targets=(Target(node="2", input="steps"),))
    interface = Interface(parameters=(parameter,))
    files = {**make_files("hello"), "interface.json": render_json(interface.model_dump(mode="json"))}
    assert working(files)[0].inputs == {}


def test_a_branch_gives_its_own_name() -> None:
    config, made = working(make_files("hello"), "fast")
    assert (config.name, parse_lock(made["pycomfy.lock"].decode()).name) == ("fast", "fast")


@pytest.mark.parametrize(
    "source",
    [
        GitSource(url="packs/x", commit="a" * 40, tree=TREE),
        PathSource(path="packs/x", tree=TREE),
        UrlSource(url="https://x.test/x.py", sha256="a" * 64, name="x.py"),
        WheelTreeSource(url="https://x.test/w", sha256="a" * 64, name="w-1.0-py3-none-any.whl", size=1, folder="x"),
    ],
)
def test_every_kind_of_source_is_written(source: Any) -> None:
    files = make_files("hello")
    lock = parse_lock(files["pycomfy.lock"].decode()).model_copy(update={"packs": (Pack(name="p", source=source),)})
    config, _ = working({**files, "pycomfy.lock": render_lock(lock).encode()})
    assert set(config.packs) == {"p"}
    local = local_sources(lock)
    assert local == {"ComfyUI": "comfyui", **({"p": "packs/x"} if source.kind in ("git", "path") else {})}


def test_a_patch_of_the_lock_is_a_file_that_the_configuration_names() -> None:
    files = make_files("hello")
    source = GitSource(url="https://x.test/p", commit="a" * 40, tree=TREE, patch="diff --git a/é b/é\n")
    lock = parse_lock(files["pycomfy.lock"].decode()).model_copy(update={"packs": (Pack(name="p", source=source),)})
    files["pycomfy.lock"] = render_lock(lock).encode()
    made = working_files("hello", read_snapshot("x", files), files)
    assert made["patches/p.patch"].decode() == source.patch
    spec = parse_config(made["pycomfy.toml"].decode()).packs["p"]
    assert isinstance(spec, GitSpec) and (spec.rev, spec.patch) == ("a" * 40, "patches/p.patch")


def test_a_configuration_that_cannot_be_read_any_more_is_made_anew() -> None:
    assert working({**make_files("hello"), "pycomfy.toml": b"plattform = 3"})[0].name == "hello"
