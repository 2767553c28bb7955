"""An interchange format is one module and one line: with those alone a made-up one is imported, locked and exported."""

import json
import zipfile
from pathlib import Path

import pytest

from pycomfy.core.interchange.format import RenderTarget
from pycomfy.core.interchange.model import ComfyUIRevision, EnvironmentSpec, GitPack, RegistryPack
from pycomfy.core.interchange.registry import FORMATS
from tests.support.cli_projects import Surroundings, refused
from tests.support.local_github import CARD_URL, PROMPT, LocalGitHub, make_local_github
from tests.support.made_up_formats import CRATE, LIST


@pytest.fixture
def github(tmp_path: Path, surroundings: Surroundings) -> LocalGitHub:
    return make_local_github(tmp_path / "place", surroundings.env)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up formats, for one test."""
    monkeypatch.setitem(FORMATS, "list", "tests.support.made_up_formats:LIST")
    monkeypatch.setitem(FORMATS, "crate", "tests.support.made_up_formats:CRATE")


def shopping(github: LocalGitHub) -> dict[str, object]:
    bags = {CARD_URL: {"commit": github.card}}
    return {"shopping": 1, "title": "p", "base": github.comfyui, "bags": bags, "pins": ["base==1.0"]}


def lock(github: LocalGitHub, folder: str) -> bytes:
    """Lock a folder for one platform; the lock's bytes."""
    config = github.work / folder / "pycomfy.toml"
    if "platforms" not in config.read_text():
        config.write_text('platforms = ["linux/amd64"]\n' + config.read_text())
    done = github.run("lock", folder)
    assert done.status == 0, done.err
    return (github.work / folder / "pycomfy.lock").read_bytes()


@pytest.mark.usefixtures("registered")
def test_a_document_becomes_a_lock_and_comes_back_the_same(github: LocalGitHub) -> None:
    bag = {"commit": github.card, "weight": 3, "colour": "red"}
    github.write("mine.json", json.dumps({**shopping(github), "more": 1, "bags": {CARD_URL: bag}}))
    github.write("w.json", json.dumps(PROMPT))
    done = github.run("import", "mine.json", "--workflow", "w.json", "--to", "p", "--name", "p", "--json")
    assert done.status == 0, done.err
    told = done.json()
    assert (told["format"], told["packs"], told["packages"]) == ("list", 1, 1)
    assert told["notes"] == ["unknown keys, ignored: bags.*.colour, more"]
    assert "from a shopping list, mine.json" in (github.work / "p/pycomfy.toml").read_text()
    first = lock(github, "p")
    assert json.loads(first)["packs"][0]["source"]["commit"] == github.card

    done = github.run("export", "p/", "--format", "list", "-o", "back.json", "--json")
    assert done.status == 0, done.err
    assert done.json()["format"] == "list" and done.json()["notes"] == []
    *lost, debian = done.json()["lost"]
    assert lost == ["the workflow", "the version of Python, 3.11", "the hashes of the Python packages"]
    assert debian.endswith(" Debian packages")
    assert json.loads((github.work / "back.json").read_text()) == shopping(github)
    done = github.run("import", "back.json", "--workflow", "w.json", "--to", "again", "--name", "p")
    assert done.status == 0 and done.out.startswith("a shopping list\n"), done.err
    assert lock(github, "again") == first


@pytest.mark.usefixtures("registered")
def test_a_zip_file_brings_its_workflow_and_its_input_files(github: LocalGitHub) -> None:
    members = {
        "list.toml": f"shopping = 1\nbase = '{github.comfyui}'\nbags.'{CARD_URL}'.commit = '{github.card}'\n",
        "flow.json": json.dumps(PROMPT),
        "goods/in.png": "a picture",
        "odd.txt": "",
    }
    with zipfile.ZipFile(github.work / "p.crate", "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    done = github.run("import", "p.crate", "--json")
    assert done.status == 0, done.err
    told = done.json()
    assert (told["format"], told["workflow"], told["files"]) == ("crate", True, ["input/in.png"])
    assert "files that are ignored: odd.txt" in told["notes"]
    assert (github.work / "p/input/in.png").read_text() == "a picture"
    first = lock(github, "p")

    done = github.run("export", "p/", "--format", "crate", "-o", "again.crate", "--json")
    assert done.status == 0 and "the workflow" not in done.json()["lost"], done.err
    assert github.run("import", "again.crate", "--name", "p").status == 0
    again = json.loads(lock(github, "again"))
    assert again["workflow"] == json.loads(first)["workflow"] and again["packs"] == json.loads(first)["packs"]
    # comfy-pack's own zip files are recognised beside it.
    assert github.run("export", "p/", "--format", "cpack", "-o", "p.cpack.zip").status == 0
    assert github.run("import", "p.cpack.zip", "--to", "other", "--json").json()["format"] == "cpack"


def test_what_a_format_cannot_express_is_lost_in_noun_phrases() -> None:
    packs = (GitPack("https://h/on"), GitPack("https://h/off", enabled=False), RegistryPack("far", "1.0"))
    environment = EnvironmentSpec(comfyui=ComfyUIRevision(version="0.3.75"), packs=packs)
    lost = (
        "ComfyUI 0.3.75, which is not pinned by a commit",
        "the disabled node pack https://h/off",
        "the node pack far 1.0: it has no repository address, only an id of the Comfy registry",
    )
    assert LIST.render(environment, RenderTarget("p@1", "list.json")).lost == lost
    assert CRATE.render(environment, RenderTarget("p@1", "x.crate")).lost == lost
    assert LIST.render(environment, RenderTarget("p@1", "list.txt")).notes != ()


@pytest.mark.usefixtures("registered")
def test_errors_and_folders_name_a_made_up_format_like_any_other(github: LocalGitHub) -> None:
    github.write("mine.json", json.dumps(shopping(github)))
    outcome = refused(github, "import", "mine.json", "--format", "pylock", code="bad-input")
    assert "not a pylock.toml, but a shopping list" in outcome.told and "--format list" in outcome.told
    github.write("odd.json", '{"a": 1}')
    assert "list, crate" in refused(github, "import", "odd.json", code="bad-input").told
    github.write("w.json", json.dumps(PROMPT))
    assert github.run("import", "mine.json", "--workflow", "w.json", "--to", "p").status == 0
    lock(github, "p")
    outcome = refused(github, "export", "p/", "--format", "crate", "-o", "p", code="bad-input")
    assert "--output p/x.crate" in outcome.told


def test_a_format_that_is_not_listed_does_not_exist(github: LocalGitHub) -> None:
    github.write("mine.json", json.dumps(shopping(github)))
    refused(github, "import", "mine.json", code="bad-input")
    for arguments in (("import", "mine.json"), ("export", "p/", "-o", "x")):
        outcome = github.run(*arguments, "--format", "list")
        assert outcome.status == 2 and "unknown format 'list'" in outcome.told and "--format" in outcome.told
    assert all(entry.startswith("pycomfy.core.interchange.") for entry in FORMATS.values())
