"""From another tool's file to a lock, and back. Commands, git, uv and Debian are real; github.com is a folder."""

import dataclasses
import json
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from pycomfy.core.interchange.registry import FORMATS, load_format
from tests.support.cli_projects import Place, Surroundings, refused
from tests.support.local_github import CARD_URL, PROMPT, LocalGitHub, make_local_github
from tests.support.repositories import commit
from tests.support.service_projects import make_files, record

SHA = "5" * 64


@pytest.fixture
def github(tmp_path: Path, surroundings: Surroundings) -> LocalGitHub:
    return make_local_github(tmp_path / "place", surroundings.env)


def snapshot(github: LocalGitHub, **more: object) -> dict[str, object]:
    return {
        "comfyui": github.comfyui,
        "git_custom_nodes": {CARD_URL: {"hash": github.card, "disabled": False}},
        "cnr_custom_nodes": {},
        "file_custom_nodes": [],
        "pips": {"base==1.0": "", "pip==25.0": ""},
        **more,
    }


def made(github: LocalGitHub, folder: str = "portrait", **more: object) -> None:
    """A folder imported from a snapshot, and locked."""
    github.write("snap.json", json.dumps(snapshot(github, **more)))
    github.write("w.json", json.dumps(PROMPT))
    done = github.run("import", "snap.json", "--workflow", "w.json", "--to", folder)
    assert done.status == 0, done.err
    config = github.work / folder / "pycomfy.toml"
    # A list of packages is for one platform in most formats.
    config.write_text(config.read_text().replace("\noverrides", '\nplatforms = ["linux/amd64"]\noverrides', 1))
    done = github.run("lock", folder)
    assert done.status == 0, done.err


def test_a_snapshot_becomes_a_folder_that_locks_to_its_pins(github: LocalGitHub) -> None:
    made(github)
    lock = json.loads((github.work / "portrait/pycomfy.lock").read_text())
    assert lock["name"] == "portrait" and lock["comfyui"]["source"]["commit"] == github.comfyui
    assert [(p["name"], p["source"]["commit"], p["types"]) for p in lock["packs"]] == [
        ("card", github.card, ["HelloCard"])
    ]
    # The index has base 2.0 as well; pip, which nothing asks for, is not installed.
    assert [(w["name"], w["version"]) for w in lock["platforms"]["linux/amd64"]["wheels"]] == [("base", "1.0")]


def test_a_lock_goes_to_another_tool_and_comes_back_the_same(github: LocalGitHub) -> None:
    made(github)
    lock = (github.work / "portrait/pycomfy.lock").read_bytes()
    for format_ in FORMATS:
        file, parts = f"{format_}/{load_format(format_).filename}", load_format(format_).parts
        if not {"comfyui", "packs"} <= parts:
            continue
        done = github.run("export", "portrait/pycomfy.lock", "--format", format_, "-o", file, "--json")
        assert done.status == 0, done.err
        told = done.json()
        assert told["format"] == format_ and told["size"] == (github.work / file).stat().st_size
        assert any("Debian packages" in lost for lost in told["lost"])
        back = github.work / f"back-{format_}"
        done = github.run("import", file, "--to", back, "--workflow", "w.json", "--name", "portrait", "--json")
        assert done.status == 0, done.err
        assert done.json()["format"] == format_
        missing = "" if "platforms" in (back / "pycomfy.toml").read_text() else 'platforms = ["linux/amd64"]\n'
        missing += 'overrides = ["base==1.0"]\n' if "packages" not in parts else ""
        (back / "pycomfy.toml").write_text(missing + (back / "pycomfy.toml").read_text())
        assert github.run("lock", back).status == 0
        assert (back / "pycomfy.lock").read_bytes() == lock, format_


def test_python_packages_go_to_a_pylock_and_come_back(github: LocalGitHub) -> None:
    made(github)
    for name, noted in (("other.toml", True), ("pylock.toml", False)):
        done = github.run("export", "./portrait", "--format", "pylock", "-o", name)
        assert ("under the name pylock.toml" in done.out) is noted
    installed = github.work / "installed"
    platform = ["--python-version=3.11", "--python-platform=x86_64-manylinux_2_36", "--no-config", "--require-hashes"]
    command = [find_uv_bin(), "pip", "install", f"--target={installed}", *platform, "-r", "pylock.toml"]
    subprocess.run(command, cwd=github.work, check=True, capture_output=True)
    assert [p.name for p in installed.glob("*.dist-info")] == ["base-1.0.dist-info"]
    done = github.run("import", "pylock.toml", "--to", "back", "--json")
    assert done.json() | {"notes": []} == {
        "schema_version": 1,
        "folder": "back",
        "format": "pylock",
        "workflow": False,
        "packs": 0,
        "packages": 1,
        "models": 0,
        "inputs": 0,
        "files": [],
        "notes": [],
    }
    assert '"base==1.0"' in (github.work / "back/pycomfy.toml").read_text()


def test_a_package_of_comfy_pack_carries_workflow_and_input_files(github: LocalGitHub) -> None:
    files = {
        "snapshot.json": json.dumps(snapshot(github, python="3.11", models=[])),
        "workflow_api.json": json.dumps({**PROMPT, "3": {"class_type": "LoadImage", "inputs": {"image": "in.png"}}}),
        "input/in.png": "a picture",
    }
    with zipfile.ZipFile(github.work / "card.cpack.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    done = github.run("import", "card.cpack.zip")
    assert done.status == 0 and "1 in card/input" in done.out and "pycomfy lock card" in done.out
    assert (github.work / "card/workflow.json").read_text() == files["workflow_api.json"]
    assert (github.work / "card/input/in.png").read_text() == "a picture"
    # LoadImage is not in this ComfyUI, so the lock is of a workflow without it.
    made(github)
    (github.work / "portrait/input").mkdir()
    outcomes = [github.run("export", "portrait/", "--format", "cpack", "-o", f"{n}.cpack.zip") for n in (1, 2)]
    assert all("ComfyUI-Manager 3.31.9 is added" in o.out for o in outcomes)
    assert (github.work / "1.cpack.zip").read_bytes() == (github.work / "2.cpack.zip").read_bytes()


def test_a_registrys_pack_that_nobody_knows_is_a_question_not_a_guess(github: LocalGitHub) -> None:
    github.write("snap.json", json.dumps(snapshot(github, cnr_custom_nodes={"pack-z": "1.0.1"})))
    github.write("w.json", json.dumps(PROMPT))
    assert github.run("import", "snap.json", "--workflow", "w.json", "--to", "p").status == 0
    outcome = refused(github, "lock", "p", code="unpinned-pack")
    assert "pack-z" in outcome.err and "[packs.pack-z] git = " in outcome.err


def recorded(place: Place, monkeypatch: pytest.MonkeyPatch, **files: bytes) -> None:
    from pycomfy.adapters.io.paths import Paths

    # The commits have the test's author.
    for key, value in place.env.items():
        monkeypatch.setenv(key, value)
    record(Paths(place.data, place.data / "cache"), {**make_files("portrait"), **files})


def test_a_version_goes_to_every_tool(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    interface = {
        "version": 1,
        "parameters": [
            {
                "name": "steps",
                "type": "integer",
                "targets": [{"node": "2", "input": "steps"}],
                "default": 20,
                "minimum": 1,
            },
            {"name": "odd", "type": "json", "targets": [{"node": "2", "input": "odd"}]},
        ],
    }
    recorded(place, monkeypatch, **{"interface.json": json.dumps(interface).encode()})
    for format_ in FORMATS:
        file = f"{format_}/{load_format(format_).filename}"
        done = place.run("export", "portrait", "--format", format_, "-o", file)
        assert done.status == 0, done.err
        assert file in done.out and "left out: " in done.out
    form = json.loads((place.work / "view-comfy/view_comfy.json").read_text())["workflows"][0]
    (group,) = form["viewComfyJSON"]["inputs"]
    assert group["inputs"][0]["workflowPath"] == ["2", "inputs", "steps"]
    assert group["inputs"][0]["validations"] == {"required": False, "min": 1}
    assert json.loads((place.work / "manager-snapshot/snapshot.json").read_text()) == {
        # It comes from a folder, and is not pinned by a commit.
        "comfyui": None,
        "git_custom_nodes": {"https://x.test/p": {"hash": "d" * 40, "disabled": False}},
        "cnr_custom_nodes": {},
        "file_custom_nodes": [],
        "pips": {"torch==2.9.0": ""},
    }
    done = place.run("import", "view-comfy/view_comfy.json", "--to", "form")
    assert done.status == 0, done.err
    assert '[inputs]\nsteps = "2.steps"' in (place.work / "form/pycomfy.toml").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "x", "-o", "x", "--format", "docker"),
        ("export", "x", "-o", "x", "--format", "pylock", "--models"),
        ("export", "x", "-o", "x", "--format", "pylock", "--platform", "windows"),
        ("import", "x", "--format", "docker"),
    ],
)
def test_a_wrong_option_is_a_usage_error(place: Place, arguments: tuple[str, ...]) -> None:
    assert place.run(*arguments).status == 2


def test_what_cannot_be_imported_is_refused_and_leaves_nothing(place: Place) -> None:
    def check(name: str, data: str | bytes, *more: str) -> None:
        refused(place, "import", place.write(name, data), *more, code="bad-input")

    check("w.json", json.dumps(PROMPT))
    check("x.json", "{")
    check("x.zip", b"PK\x03\x04")
    bundle = refused(place, "import", place.write("x.tar.zst", "no bundle"), code="bad-input")
    assert "neither a bundle of pycomfy nor JSON, YAML or TOML" in bundle.told
    bundle = refused(place, "import", place.write("x.tar.zst", b"\x28\xb5\x2f\xfd no bundle"), code="bad-input")
    assert "not a bundle, or a damaged one" in bundle.told
    (place.work / "x.tar.zst").unlink()
    check("y.json", json.dumps({"git_custom_nodes": {}}), "--format", "pylock")
    refused(place, "import", "none.json", code="not-found")
    refused(place, "import", "/dev/zero", code="bad-input", process=True)
    bad = {"git_custom_nodes": {}, "python": "3.11"}
    with zipfile.ZipFile(place.work / "bad.cpack.zip", "w") as archive:
        archive.writestr("snapshot.json", json.dumps(bad))
        archive.writestr("input/x", "x")
        archive.writestr("workflow.json", "no workflow")
    refused(place, "import", "bad.cpack.zip", code="bad-workflow")
    assert {p.name for p in place.work.iterdir()} == {"w.json", "x.json", "x.zip", "y.json", "bad.cpack.zip"}
    assert place.half_written() == []


def test_a_folder_that_is_there_stays_as_it_is(place: Place) -> None:
    place.write("snap.json", json.dumps({"git_custom_nodes": {}}))
    place.write("snap/mine.txt", "mine")
    refused(place, "import", "snap.json", code="bad-input")
    assert [p.name for p in (place.work / "snap").iterdir()] == ["mine.txt"]


def test_an_input_file_is_taken_from_beside_the_lock_alone(github: LocalGitHub, tmp_path: Path) -> None:
    nodes = "class N: pass\nNODE_CLASS_MAPPINGS = {'SaveImage': N, 'LoadImage': N}\n"
    comfyui = commit(github.comfyui_folder, {"nodes.py": nodes}, date="2025-05-03T00:00:00Z")
    github = dataclasses.replace(github, comfyui=comfyui)
    (tmp_path / "secret.png").write_text("secret")
    names = ["in.png", str(tmp_path / "secret.png"), "../../../secret.png", "link.png", "gone.png"]
    prompt: Mapping[str, Any] = {
        str(n): {"class_type": "LoadImage", "inputs": {"image": name}} for n, name in enumerate(names, start=1)
    }
    github.write("snap.json", json.dumps(snapshot(github, git_custom_nodes={})))
    github.write("w.json", json.dumps(prompt))
    assert github.run("import", "snap.json", "--workflow", "w.json", "--to", "p").status == 0
    assert github.run("lock", "p", "--platform", "linux/amd64").status == 0
    github.write("p/input/in.png", "a picture")
    (github.work / "p/input/link.png").symlink_to(tmp_path / "secret.png")
    done = github.run("export", "p/", "--format", "cpack", "-o", "x.cpack.zip")
    assert done.status == 0 and done.out.count("left out: the input file") == 4
    with zipfile.ZipFile(github.work / "x.cpack.zip") as archive:
        assert [n for n in archive.namelist() if n.startswith("input/")] == ["input/in.png"]
