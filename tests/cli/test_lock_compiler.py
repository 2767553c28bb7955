"""`lock` gives the image a C compiler where something in it compiles while it runs."""

import pytest

from pycomfy.core.debian.base_packages import base_packages, compiler_packages
from tests.support.cli_projects import CARD, COMFYUI, CONFIG, Place, Surroundings

SOURCES = '[comfyui]\npath = "ComfyUI"\n[packs.card]\npath = "card"\n'
COMPILERS = compiler_packages("3.11")
FAST = "import torch\n\ndef fast(model):\n    return torch.compile(model)\n"
OTHER = "class Other: pass\nNODE_CLASS_MAPPINGS = {'Other': Other}\n"


@pytest.fixture
def compilers(surroundings: Surroundings) -> None:
    """A Debian and an index that have what a compiler needs."""
    known = "".join(surroundings.archive.stanzas.get("bookworm", []))
    for name in COMPILERS:
        if f"Package: {name}\n" not in known:
            surroundings.archive.add(name)
    surroundings.archive.publish()
    surroundings.index.add("setuptools", "80.0")


def packages(place: Place) -> set[str]:
    return {p["name"] for p in place.change_lock()["platforms"]["linux/amd64"]["root"]["packages"]}


def project(place: Place, card: str = CARD, *types: str, config: str = CONFIG, **files: str) -> Place:
    place.project(*types, config=config, sources=SOURCES)
    for name, text in {"__init__": card, **files}.items():
        place.write(f"card/{name}.py", text)
    return place


@pytest.mark.usefixtures("compilers")
def test_a_core_node_that_compiles_brings_a_compiler_and_its_size_is_said(place: Place) -> None:
    place = project(place, CARD, "HelloCard", "SaveImage", "TorchCompileModel")
    place.write("ComfyUI/nodes.py", COMFYUI["nodes.py"] + "NODE_CLASS_MAPPINGS['TorchCompileModel'] = Note\n")
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert "a C compiler and Python's headers (0 MB to download)" in outcome.out
    assert "the node type TorchCompileModel; to leave them out, below [image]" in outcome.out
    lock = place.change_lock()
    assert {*COMPILERS} <= packages(place) and lock["compiler"] is True
    assert "setuptools" in {w["name"] for w in lock["platforms"]["linux/amd64"]["wheels"]}
    place.workflow("HelloCard", "SaveImage")
    outcome = place.run("lock", ".")
    assert "compiler" not in place.lock.read_text() and not {*COMPILERS} & packages(place)
    assert "compiler: in the image → none" in outcome.out.replace("->", "→")


@pytest.mark.usefixtures("compilers")
def test_a_pack_brings_one_only_if_the_nodes_of_the_workflow_are_in_files_that_compile(place: Place) -> None:
    parts = "from .a import NODE_CLASS_MAPPINGS as A\nfrom .b import NODE_CLASS_MAPPINGS as B\n"
    init = parts + "NODE_CLASS_MAPPINGS = {**A, **B}\n"
    place = project(place, init, a=CARD, b="from .fast import fast\n" + OTHER, fast=FAST)
    assert place.run("lock", ".").status == 0
    assert not {*COMPILERS} & packages(place)
    place.workflow("HelloCard", "SaveImage", "Other")
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert "torch.compile in the node pack card (fast.py line 4)" in outcome.out
    assert {*COMPILERS} <= packages(place)


@pytest.mark.usefixtures("compilers")
@pytest.mark.parametrize(
    "code", ["import triton.language as tl\n", "import torch\n@torch.compile(dynamic=True)\ndef f(): pass\n"]
)
def test_triton_and_the_decorator_count_too(place: Place, code: str) -> None:
    place = project(place, code + CARD)
    assert place.run("lock", ".").status == 0
    assert {*COMPILERS} <= packages(place)


@pytest.mark.usefixtures("compilers")
def test_a_requirement_counts_where_its_marker_holds(place: Place, surroundings: Surroundings) -> None:
    surroundings.index.add("triton", "3.0")
    place = project(place)
    place.write("card/requirements.txt", "triton; sys_platform == 'win32'\n")
    assert place.run("lock", ".").status == 0
    assert not {*COMPILERS} & packages(place)
    place.write("card/requirements.txt", "triton\n")
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert "triton (required by pack card)" in outcome.out and {*COMPILERS} <= packages(place)


@pytest.mark.usefixtures("compilers")
def test_pycomfy_toml_decides(place: Place) -> None:
    place = project(place, config=CONFIG)
    place.write("pycomfy.toml", CONFIG + SOURCES + "[image]\ncompiler = true\n")
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert {*COMPILERS} <= packages(place) and "compiler" not in outcome.out
    place.write("card/__init__.py", FAST + CARD)
    place.write("pycomfy.toml", CONFIG + SOURCES + "[image]\ncompiler = false\n")
    outcome = place.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert not {*COMPILERS} & packages(place)
    assert "the image has no C compiler, as pycomfy.toml says" in outcome.out
    assert "torch.compile in the node pack card" in outcome.out


def test_the_packages_of_every_image_are_as_before() -> None:
    assert not {*COMPILERS} & {*base_packages("3.11")}
