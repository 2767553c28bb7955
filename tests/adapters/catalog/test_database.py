import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.database import Catalog, catalog_path
from pycomfy.adapters.catalog.fetch import FOLDER, TEMPLATES
from pycomfy.adapters.catalog.update import CatalogUpdate, update_catalog
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.catalog.manager_lists import MAP
from pycomfy.core.catalog.match import answer_type
from pycomfy.core.models.manager_list import MODELS
from pycomfy.errors import BadInput, NetworkError, NotFound, PycomfyError, suggest
from tests.support.catalog_maps import A, B, claim, lists, some
from tests.support.package_index import Index, serve
from tests.support.repositories import commit

# A pin that no index is asked for.
NO_DOCS = "not a pin!"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "home" / "cache")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with serve() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        yield index


def fill(paths: Paths, folder: Path, files: Mapping[str, str | bytes | None]) -> CatalogUpdate:
    """A catalog from a repository of the test's."""
    commit(folder, files)
    return update_catalog(paths, repository=str(folder), docs=NO_DOCS)


def small(paths: Paths, folder: Path) -> None:
    pack = {
        "reference": A,
        "files": [A],
        "install_type": "git-clone",
        "id": "Pack-A",
        "reference2": "https://github.com/old/A",
    }
    packs = {
        "https://github.com/comfyanonymous/ComfyUI": (["KSampler"],),
        A: (["X", "Y", "Z"], {"title_aux": "Video helper"}),
        B: (["Y", "Z", "video"], {"preemptions": ["Z"], "nodename_pattern": "_of_b$", "title": "Other"}),
    }
    fill(paths, folder, lists(packs, [pack], {A: {"stars": 7}}))


def test_the_newer_lists_of_the_repository_are_taken_and_recorded(paths: Paths, tmp_path: Path) -> None:
    made = fill(paths, tmp_path / "manager", lists({A: (["X"],)}))
    assert (made.packs, made.types) == (2, 1)
    with Catalog(paths) as catalog:
        (origin,) = catalog.origins()
    assert (origin,) == made.origins and origin.kind == "git" and len(origin.hash) == 40


def test_without_the_repository_the_wheel_is_taken_with_a_remark(paths: Paths, index: Index, tmp_path: Path) -> None:
    files = [(f"{FOLDER}/{name}", data.decode()) for name, data in lists({A: (["X"],)}).items()]
    index.add("lists", "1.0", files=files)
    index.add("docs", "2.0", files=[("comfyui_embedded_docs/docs/NewNode/en.md", "")])
    made = update_catalog(paths, wheel="lists", docs="docs", repository=str(tmp_path / "gone"))
    assert [o.kind for o in made.origins] == ["wheel", "wheel"] and "no such folder" in made.remarks[0]
    assert all(len(o.hash) == 64 for o in made.origins)
    with Catalog(paths) as catalog:
        claims = catalog.claims(["X", "NewNode"])
    assert [p.url for p in claims["X"].owners] == [A]
    assert answer_type("NewNode", claims["NewNode"]).answer == "comfy-core"
    assert any(TEMPLATES in remark for remark in made.remarks)


def test_official_templates_say_which_comfyui_has_a_type(paths: Paths, index: Index, tmp_path: Path) -> None:
    files = [(f"{FOLDER}/{name}", data.decode()) for name, data in lists({A: (["X"],)}).items()]
    index.add("lists", "1.0", files=files)
    index.add("docs", "2.0", files=[("comfyui_embedded_docs/docs/NewNode/en.md", "")])
    folder = "comfyui_workflow_templates_json/templates"
    nodes = [{"id": 1, "type": "NewNode", "mode": 0}, {"id": 2, "type": "Newest", "mode": 0}]
    template = json.dumps({"version": 0.4, "nodes": nodes, "links": []})
    listed = json.dumps([{"templates": [{"name": "a", "minComfyUIVersion": "0.42.6"}]}])
    index.add(TEMPLATES, "1.0", files=[(f"{folder}/index.json", listed), (f"{folder}/a.json", template)])
    made = update_catalog(paths, wheel="lists", docs="docs", repository=str(tmp_path / "gone"))
    assert len(made.origins) == 3 and len(made.remarks) == 1
    with Catalog(paths) as catalog:
        answers = [answer_type(t, c) for t, c in catalog.claims(["NewNode", "Newest", "X"]).items()]
    assert [(a.reason, a.since) for a in answers] == [
        ("built-in", "0.42.6"),
        ("template", "0.42.6"),
        ("only-pack", None),
    ]
    with sqlite3.connect(catalog_path(paths)) as connection:
        connection.execute("DROP TABLE since")
    with Catalog(paths) as catalog:
        assert catalog.claims(["Newest"])["Newest"].since is None


def test_an_update_that_fails_keeps_the_catalog(paths: Paths, index: Index, tmp_path: Path) -> None:
    small(paths, tmp_path / "manager")
    before = catalog_path(paths).read_bytes()
    index.add("broken", "1.0", files=[(f"{FOLDER}/{MAP}", "{")])
    for wheel, kind in (("broken", NotFound), ("nowhere", PycomfyError)):
        with pytest.raises(kind):
            update_catalog(paths, wheel=wheel, docs=NO_DOCS, repository=str(tmp_path / "gone"))
    assert catalog_path(paths).read_bytes() == before
    assert [p.name for p in paths.data.iterdir() if p.name.startswith(".")] == []


def test_claims_are_those_of_every_listing(paths: Paths, tmp_path: Path) -> None:
    small(paths, tmp_path / "manager")
    with Catalog(paths) as catalog:
        claims = catalog.claims(["X", "Y", "Z", "new_of_b", "KSampler", "?", "X"])
    answers = {t: answer_type(t, c).answer for t, c in claims.items()}
    assert answers == {"X": A, "Y": None, "Z": B, "new_of_b": B, "KSampler": "comfy-core", "?": None}


def test_a_pack_is_found_by_every_name_it_has(paths: Paths, tmp_path: Path) -> None:
    small(paths, tmp_path / "manager")
    with Catalog(paths) as catalog:
        for name in (A, A + ".git", "ann/comfyui-a", "pack-a", "PACK-A", "git@github.com:old/A.git", "OLD/a"):
            found = catalog.find(name)
            assert found is not None and found.url == A
        assert catalog.find("nobody/nothing") is None and catalog.find("'; DROP TABLE packs") is None


def test_search_finds_words_anywhere_and_whole_types_first(paths: Paths, tmp_path: Path) -> None:
    small(paths, tmp_path / "manager")
    with Catalog(paths) as catalog:
        assert [p.url for p in catalog.search("helper vid")] == [A]
        assert [p.url for p in catalog.search("video")] == [B, A]
        assert catalog.search('"; NEAR( * OR') == [] and catalog.search("  ") == []


def test_search_finds_the_words_that_are_written_together_in_a_name(paths: Paths, tmp_path: Path) -> None:
    one, other = "https://github.com/ann/ComfyUI-VideoHelperSuite", "https://github.com/bo/some"
    packs = {other: (["X"], {"title_aux": "Video, a helper"}), one: (["Y"], {"title_aux": one.rsplit("/", 1)[1]})}
    fill(paths, tmp_path / "manager", lists(packs, (), {one: {"stars": 1000}}))
    with Catalog(paths) as catalog:
        assert [p.url for p in catalog.search("video helper")] == [one, other]
        assert [p.url for p in catalog.search("helpersuite")] == []
        assert [p.url for p in catalog.search("videohelpers")] == [one]


def test_no_catalog_and_no_database_say_how_to_get_one(paths: Paths) -> None:
    with pytest.raises(NotFound) as e:
        Catalog(paths)
    assert e.value.fixes == (suggest("catalog update"),)
    catalog_path(paths).parent.mkdir(parents=True)
    catalog_path(paths).write_text("this is no database, but long enough to be read as one " * 20)
    with pytest.raises(BadInput):
        Catalog(paths)
    catalog_path(paths).unlink()
    sqlite3.connect(catalog_path(paths)).close()
    with pytest.raises(BadInput):
        Catalog(paths)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """The catalog of the newest `comfyui-manager` on the index."""
    folder = tmp_path_factory.mktemp("catalog")
    paths = Paths(folder, folder / "cache")
    try:
        update_catalog(paths, repository=str(folder / "nowhere"))
    except NetworkError as e:
        pytest.skip(f"no Python index: {e.what}")
    return paths


def test_every_type_of_the_real_map_is_answered_right_or_is_a_question(real: Paths) -> None:
    """Right means: whoever looks at every entry of the map one by one finds the same."""
    connection = sqlite3.connect(catalog_path(real))
    rows = connection.execute("SELECT identity, types, preempts FROM packs").fetchall()
    connection.close()
    owners: dict[str, set[str]] = {}
    preempting: dict[str, set[str]] = {}
    for identity, types, preempts in rows:
        for type_ in json.loads(types):
            owners.setdefault(type_, set()).add(identity)
        for type_ in json.loads(preempts):
            preempting.setdefault(type_, set()).add(identity)
    assert len(owners) > 20_000
    with Catalog(real) as catalog:
        answers = [answer_type(t, c) for t, c in catalog.claims(owners).items()]
    asked = 0
    for answer in answers:
        core = any(
            i in ("github.com/comfyanonymous/comfyui", "github.com/comfy-org/comfyui") for i in owners[answer.type]
        )
        given = preempting.get(answer.type, set()) or owners[answer.type]
        if core:
            assert answer.answer == "comfy-core"
        elif len(given) == 1:
            assert answer.pack is not None and answer.pack.identity in given
        else:
            asked += 1
            assert answer.answer is None and {p.identity for p in answer.candidates} >= given
    assert 0 < asked < len(owners) / 20


def test_the_database_answers_as_the_lists_do(paths: Paths, tmp_path: Path) -> None:
    listings = some()
    packs = {p.url: (p.types, {"preemptions": p.preempts, "nodename_pattern": p.pattern}) for p in listings}
    fill(paths, tmp_path / "manager", lists(packs))
    types = ["X", "Y", "Z", "W", "Upscale", "New (cc)", "Nobody's"]
    with Catalog(paths) as catalog:
        found = catalog.claims(types)
    for type_ in types:
        expected = answer_type(type_, claim(listings, type_))
        assert answer_type(type_, found[type_]).answer == expected.answer


def test_models_are_looked_up_by_folder_and_name(paths: Paths, index: Index, tmp_path: Path) -> None:
    entry = {"filename": "sharp.pth", "save_path": "default", "type": "upscale", "url": "https://h/sharp.pth"}
    files = {**lists({A: (["X"],)}), MODELS: json.dumps({"models": [entry]}).encode()}
    fill(paths, tmp_path / "manager", files)
    with Catalog(paths) as catalog:
        assert catalog.find_model("upscale_models", "sharp.pth") == "https://h/sharp.pth"
        assert catalog.find_model("loras", "sharp.pth") is None
    wheel = [(f"{FOLDER}/{name}", data.decode()) for name, data in files.items()]
    index.add("lists", "1.0", files=wheel)
    update_catalog(paths, wheel="lists", docs=NO_DOCS, repository=str(tmp_path / "gone"))
    with Catalog(paths) as catalog:
        assert catalog.find_model("upscale_models", "sub/sharp.pth") == "https://h/sharp.pth"
    with sqlite3.connect(catalog_path(paths)) as connection:
        connection.execute("DROP TABLE models")
    with Catalog(paths) as catalog:
        assert catalog.find_model("upscale_models", "sharp.pth") is None
