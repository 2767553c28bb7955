"""Candidates are told apart by their own source: catalog, repositories and git are real; github.com is a folder."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.core.nodes.pack_resolution import UnresolvedType
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.workflow.model import Input, Output
from pycomfy.errors import AmbiguousNode
from pycomfy.services.lock.node_packs import FoundPacks, search_packs
from pycomfy.services.lock.pack_search import PackSearch
from pycomfy.services.workspace import Workspace
from tests.services.lock.test_node_packs import lock_of
from tests.support.catalog_maps import CORE, lists
from tests.support.repositories import commit

GITHUB = "https://github.com/"
MATH, COPY, OTHER = (GITHUB + name for name in ("ann/ComfyMath", "eve/copy", "oto/other"))


def define(type_: str, inputs: str, outputs: str) -> str:
    """The source of a pack with one node."""
    return (
        f"class {type_}:\n    RETURN_TYPES = ({outputs},)\n    FUNCTION = 'run'\n    @classmethod\n"
        f"    def INPUT_TYPES(cls):\n        return {{'required': {{{inputs}}}}}\n    def run(self, a, b): pass\n"
        f"NODE_CLASS_MAPPINGS = {{'{type_}': {type_}}}\n"
    )


INTS = define("Multiply", "'a': ('INT',), 'b': ('INT',)", "'INT'")
MASKS = define("Multiply", "'mask': ('MASK',), 'by': ('FLOAT',)", "'MASK'")
SAVED = RequiredNode(
    "1",
    "Multiply",
    "Multiply",
    "runs",
    None,
    False,
    (Input("a", "INT", "1"), Input("b", "INT", "2")),
    (Output("", "INT"),),
)


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "forge"
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{folder}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", GITHUB)
    monkeypatch.setenv("PYCOMFY_REGISTRY", "http://127.0.0.1:9")
    return folder


def find(forge: Path, stars: Mapping[str, int], *nodes: RequiredNode, **more: object) -> FoundPacks:
    """`stars` of the packs that are listed with all types of the nodes."""
    paths = Paths(forge.parent / "home", forge.parent / "home" / "cache")
    types = sorted({node.type for node in nodes})
    packs = {CORE: (["KSampler"],), **dict.fromkeys(stars, (types,))}
    commit(forge.parent / "manager", lists(packs, (), {url: {"stars": n} for url, n in stars.items()}))
    update_catalog(paths, repository=str(forge.parent / "manager"), docs="not a pin!")
    unresolved = [UnresolvedType(t, tuple(n for n in nodes if n.type == t)) for t in types]
    return search_packs(Workspace(paths), replace(PackSearch(unresolved, "w.json"), **more))  # type: ignore[arg-type]


def put(forge: Path, url: str, source: str, date: str = "2024-03-01T00:00:00Z") -> None:
    commit(forge / url.removeprefix(GITHUB), {"__init__.py": source}, date=date)


def test_the_only_pack_whose_definition_fits_is_taken(forge: Path) -> None:
    put(forge, MATH, INTS)
    put(forge, COPY, MASKS)
    found = find(forge, {MATH: 5, COPY: 900}, SAVED)
    (choice,) = found.choices
    assert list(found.specs) == ["ComfyMath"] and choice.reason == "shape"
    assert "3 of 3 inputs and outputs" in choice.evidence and "copy is not it: no input a" in choice.evidence


def test_where_two_fit_the_question_has_the_evidence(forge: Path) -> None:
    put(forge, MATH, INTS)
    put(forge, COPY, MASKS)
    put(forge, OTHER, INTS)
    with pytest.raises(AmbiguousNode, match=r"\(copy is not it: no input a\)") as e:
        find(forge, {MATH: 5, COPY: 900, OTHER: 1}, SAVED, edited=datetime(2030, 1, 1, tzinfo=UTC))
    assert "fits 3 of 3 inputs and outputs" in e.value.fix and "has it since 2024-03-01" in e.value.fix
    assert {one["url"] for one in e.value.candidates} == {MATH, OTHER}
    assert all((one["fitting"], one["saved"], one["made"]) == (3, 3, "2024-03-01") for one in e.value.candidates)


def test_what_a_pack_had_once_is_not_held_against_it(forge: Path) -> None:
    """The file may be older than the change; then only its history fits, and a copy of today is no better."""
    put(forge, MATH, INTS, date="2024-01-01T00:00:00Z")
    put(forge, MATH, MASKS, date="2025-01-01T00:00:00Z")
    put(forge, COPY, INTS)
    with pytest.raises(AmbiguousNode) as e:
        find(forge, {MATH: 5, COPY: 900}, SAVED)
    assert {one["url"] for one in e.value.candidates} == {MATH, COPY}
    put(forge, COPY, define("Multiply", "'z': ('INT',)", "'FLOAT'"), date="2025-02-01T00:00:00Z")


def test_a_definition_that_was_in_another_file_and_class_is_found(forge: Path) -> None:
    folder = forge / "ann" / "ComfyMath"
    old = INTS.replace("class Multiply", "class Product").replace(": Multiply}", ": Product}")
    commit(
        folder, {"__init__.py": "from .old import NODE_CLASS_MAPPINGS\n", "old.py": old}, date="2024-01-01T00:00:00Z"
    )
    (folder / "old.py").unlink()
    commit(folder, {"__init__.py": MASKS}, date="2025-01-01T00:00:00Z")
    put(forge, COPY, MASKS)
    found = find(forge, {MATH: 5, COPY: 900}, SAVED)
    assert list(found.specs) == ["ComfyMath"]


def test_where_all_contradict_all_are_told_with_why(forge: Path) -> None:
    put(forge, MATH, MASKS)
    put(forge, COPY, MASKS)
    with pytest.raises(AmbiguousNode) as e:
        find(forge, {MATH: 5, COPY: 900}, SAVED)
    assert e.value.fix.count("does not fit: no input a") == 2


def test_a_plain_name_that_one_stranger_lists_is_believed_only_if_it_fits(forge: Path) -> None:
    put(forge, MATH, INTS)
    assert list(find(forge, {MATH: 5}, SAVED).specs) == ["ComfyMath"]
    few = replace(SAVED, inputs=(), outputs=(Output("", "INT"),))
    with pytest.raises(AmbiguousNode, match="plain word"):
        find(forge, {MATH: 5}, few)
    put(forge, MATH, MASKS, date="2024-04-01T00:00:00Z")
    assert list(find(forge, {MATH: 5}, SAVED).specs) == ["ComfyMath"]  # its history fits
    put(forge, COPY, MASKS)
    with pytest.raises(AmbiguousNode, match="plain word"):
        find(forge, {COPY: 5}, SAVED)


def test_a_known_pack_that_is_listed_alone_is_asked_about_if_it_has_another_node(forge: Path) -> None:
    put(forge, MATH, MASKS)
    with pytest.raises(AmbiguousNode, match="the saved node is another: no input a"):
        find(forge, {MATH: 500}, SAVED)
    put(forge, MATH, INTS, date="2024-04-01T00:00:00Z")
    (choice,) = find(forge, {MATH: 500}, SAVED).choices
    assert choice.reason == "only-pack"


@pytest.mark.parametrize("limit", ["before", "edited"])
def test_a_pack_that_has_the_type_since_later_is_not_it(forge: Path, limit: str) -> None:
    put(forge, MATH, INTS, date="2024-03-01T00:00:00Z")
    put(forge, COPY, INTS, date="2025-03-01T00:00:00Z")
    found = find(forge, {MATH: 5, COPY: 900}, SAVED, **{limit: datetime(2025, 1, 1, tzinfo=UTC)})
    assert list(found.specs) == ["ComfyMath"] and "since 2025-03-01 only" in found.choices[0].evidence
    with pytest.raises(AmbiguousNode, match="since 2025-03-01 only"):
        find(forge, {COPY: 5}, SAVED, **{limit: datetime(2025, 1, 1, tzinfo=UTC)})


def test_what_is_locked_is_not_compared_again(forge: Path) -> None:
    put(forge, MATH, INTS)
    before = find(forge, {MATH: 500}, SAVED)
    shutil.rmtree(forge / "ann" / "ComfyMath")
    put(forge, MATH, MASKS, date="2025-03-01T00:00:00Z")
    kept = find(forge, {MATH: 500}, SAVED, policy=UpdatePolicy(lock_of(before)))
    assert kept.specs == before.specs and kept.choices[0].reason == "only-pack"


def test_a_repository_that_cannot_be_read_is_no_evidence(forge: Path) -> None:
    put(forge, MATH, INTS)
    with pytest.raises(AmbiguousNode) as e:
        find(forge, {MATH: 5, COPY: 900}, SAVED)
    assert {one["url"] for one in e.value.candidates} == {MATH, COPY}


def test_a_pack_that_fits_is_taken_for_what_else_it_has(forge: Path) -> None:
    both = INTS + "class Divide(Multiply): pass\nNODE_CLASS_MAPPINGS['Divide'] = Divide\n"
    put(forge, MATH, both)
    put(forge, COPY, MASKS + "class Divide(Multiply): pass\nNODE_CLASS_MAPPINGS['Divide'] = Divide\n")
    divide = RequiredNode("2", "Divide", "Divide", "runs")
    found = find(forge, {MATH: 5, COPY: 900}, SAVED, divide)
    assert [(c.type, c.reason) for c in found.choices] == [("Divide", "together"), ("Multiply", "shape")]
    assert list(found.specs) == ["ComfyMath"]
