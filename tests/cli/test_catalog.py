import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io.paths import Paths
from pycomfy.cli.main import app
from pycomfy.errors import NotFound, suggest
from tests.support.catalog_maps import CORE, A, B, lists
from tests.support.repositories import commit


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
    packs = {CORE: (["KSampler"],), A: (["X", "Y"], {"title_aux": "Pack [A]"}), B: (["Y"],)}
    commit(tmp_path / "manager", lists(packs, (), {A: {"stars": 7, "last_update": "2025-01-02 03:04:05"}}))
    update_catalog(paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    return paths


def run(paths: Paths, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["catalog", *arguments], env={"PYCOMFY_HOME": str(paths.data), "COLUMNS": "200"})


def test_resolve_answers_each_type_in_the_order_asked(paths: Paths) -> None:
    answers = json.loads(run(paths, "resolve", "Y", "KSampler", "X", "?", "--json").stdout)
    assert [(a["type"], a["answer"], a["reason"]) for a in answers] == [
        ("Y", None, "ambiguous"),
        ("KSampler", "comfy-core", "built-in"),
        ("X", A, "only-pack"),
        ("?", None, "unknown"),
    ]
    assert answers[0]["candidates"] == [
        {"url": A, "stars": 7, "updated": "2025-01-02", "types": 2},
        {"url": B, "stars": None, "updated": None, "types": 1},
    ]
    told = run(paths, "resolve", "Y", "X").stdout
    assert "1 node type)" in told and "2 node types)" in told
    assert f"X\t{A}\tonly-pack" in told and "7 stars, updated 2025-01-02" in told


def test_a_search_that_finds_nothing_says_what_is_near_and_what_to_do(paths: Paths) -> None:
    done = run(paths, "search", "comfyui-aa")
    assert (done.exit_code, done.stdout) == (0, "")
    assert 'no node pack has "comfyui-aa"; near are ann/comfyui-a' in done.stderr.lower()
    assert "pycomfy catalog update" in done.stderr and "use fewer or shorter words" in done.stderr
    assert json.loads(run(paths, "search", "comfyui-aa", "--json").stdout) == []
    assert "near" not in run(paths, "search", "quite something else").stderr


def test_search_and_show_find_a_pack(paths: Paths) -> None:
    assert [p["url"] for p in json.loads(run(paths, "search", "pack", "--json").stdout)] == [A]
    assert run(paths, "search", "pack").stdout == f"{A}\t7\tPack [A]\n"
    assert json.loads(run(paths, "show", "ann/comfyui-a", "--json").stdout)["types"] == ["X", "Y"]
    assert "7 stars" in run(paths, "show", A + ".git").stdout
    assert isinstance(run(paths, "show", "nobody/nothing").exception, NotFound)


def test_without_a_catalog_the_error_has_the_way_to_get_one(tmp_path: Path) -> None:
    empty = Paths(tmp_path / "empty", tmp_path / "cache")
    error = run(empty, "resolve", "X").exception
    assert isinstance(error, NotFound) and error.fixes == (suggest("catalog update"),)
