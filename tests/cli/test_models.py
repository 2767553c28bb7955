"""The models of a workflow from the command line: locked, fetched, added, verified."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_projects import SOURCES, Place
from tests.support.model_hub import COMMIT, TOKEN, Site, serve, sha256

CHECKPOINT = b"a checkpoint"
LORA = b"a lora"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def hubs(site: Site) -> dict[str, str]:
    return {"HF_ENDPOINT": site.hub, "PYCOMFY_CIVITAI_ENDPOINT": site.civitai, "HF_TOKEN": TOKEN, "NO_PROXY": "*"}


def workflow(place: Place, *models: dict[str, str]) -> None:
    node = {"id": 1, "type": "SaveImage", "mode": 0, "properties": {"models": list(models)}}
    place.write("workflow.json", json.dumps({"version": 0.4, "nodes": [node], "links": []}))


def test_the_same_fix_of_several_models_is_shown_once(place: Place) -> None:
    place.project("SaveImage")
    workflow(place, {"name": "a.pt", "directory": "sams", "url": ""}, {"name": "b.pt", "directory": "sams", "url": ""})
    told = place.run("models", "status", ".").err.splitlines()
    assert [line.partition(": pycomfy lock")[0] for line in told] == [
        "note: sams/a.pt: there is no lock",
        "note: sams/b.pt: there is no lock",
    ]
    assert [": pycomfy lock" in line for line in told] == [False, True]


def test_models_are_locked_fetched_and_verified(place: Place, site: Site, hubs: dict[str, str]) -> None:
    place.project("SaveImage")
    url = site.add("org/repo", "a.ckpt", CHECKPOINT)
    site.gated.add("/api/models/org/repo/revision/main")
    workflow(
        place,
        {"name": "a.ckpt", "directory": "checkpoints", "url": url},
        {"name": "b.pth", "directory": "sams", "url": f"{site.cdn}/b.pth"},
    )
    locked = place.run("lock", ".", env=hubs)
    assert locked.status == 0, locked.err
    assert "the model sams/b.pth is not pinned" in locked.out and "checkpoints/a.ckpt is a pickle" in locked.out
    assert "1 model (12 B), not in the image" in locked.out
    first = place.lock.read_bytes()
    (model,) = place.change_lock()["models"]
    assert model["sources"] == [{"kind": "huggingface", "path": "a.ckpt", "repository": "org/repo", "revision": COMMIT}]
    assert model["sha256"] == sha256(CHECKPOINT) and site.downloads() == []

    status = place.run("models", "status", ".", "--json", env=hubs).json()
    assert [(m["name"], m["state"], m["pickle"]) for m in status] == [
        ("a.ckpt", "missing", True),
        ("b.pth", "unpinned", True),
    ]
    dry = place.run("models", "pull", ".", "--dry-run", env=hubs)
    assert (dry.status, site.downloads(), place.run("models", "status", "--json").json()) == (1, [], [])
    pulled = place.run("models", "pull", ".", env=hubs)
    assert pulled.out == dry.out
    assert (pulled.status, pulled.out) == (1, "checkpoints/a.ckpt\n") and "sams/b.pth cannot be fetched" in pulled.told
    nothing = place.run("models", "pull", ".", env=hubs)
    assert nothing.status == 1 and "nothing to fetch: 0 fetched, 1 here already, 1 missing: not pinned" in nothing.told
    again = place.run("models", "pull", ".", "--json", env=hubs).json()
    assert [len(again[key]) for key in ("fetched", "present", "unpinned")] == [0, 1, 1]

    site.files["/b.pth"] = LORA
    unknown = place.run("models", "add", f"{site.cdn}/b.pth", "--as", "sams/b.pth", "--dry-run", env=hubs)
    assert unknown.status == 1 and "known once it is fetched" in unknown.told
    added = place.run("models", "add", f"{site.cdn}/b.pth", "--as", "sams/b.pth", env=hubs)
    assert added.status == 0 and sha256(LORA) in added.out and "pickle" in added.err
    assert place.run("lock", ".", env=hubs).status == 0
    assert [m["name"] for m in place.change_lock()["models"]] == ["a.ckpt", "b.pth"]
    assert place.run("models", "status", "workflow.json", env=hubs).out.count("present") == 2
    assert b"secret" not in first and TOKEN.encode() not in first and TOKEN not in locked.err + pulled.err

    assert len(place.run("models", "status", "--json").json()) == 2
    assert place.run("models", "verify").status == 0
    blob = place.data / "models" / "sha256" / sha256(LORA)[:2] / sha256(LORA)
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    verified = place.run("models", "verify", "--json")
    assert verified.status == 3
    assert {m["sha256"]: m["intact"] for m in verified.json()} == {sha256(LORA): False, sha256(CHECKPOINT): True}
    assert place.run("models", "pull", ".", env=hubs).out == "sams/b.pth\n"
    assert blob.read_bytes() == LORA


def test_a_size_that_the_lock_does_not_have_is_the_files_own(place: Place) -> None:
    place.project(
        "SaveImage", sources=f'{SOURCES}[[models]]\nfolder = "loras"\nname = "x.pt"\nsha256 = "{sha256(LORA)}"\n'
    )
    assert "1 model, not in the image" in place.run("lock", ".").out
    place.write("x.pt", LORA.decode("latin-1"))
    assert place.run("models", "add", "x.pt", "--as", "loras/x.pt").status == 0
    (model,) = place.run("models", "status", ".", "--json").json()
    assert (model["state"], model["size"]) == ("present", len(LORA))


def test_an_embedding_without_an_ending_is_the_locked_file_with_its_stem(place: Place) -> None:
    place.project("SaveImage")
    node = {"id": 1, "type": "SaveImage", "mode": 0, "widgets_values": ["(embedding:Neg:1.2)"]}
    place.write("workflow.json", json.dumps({"version": 0.4, "nodes": [node], "links": []}))
    place.write("mine", "an embedding")
    place.run("models", "add", "mine", "--as", "embeddings/Neg.pt")
    assert place.run("lock", ".").status == 0
    status = place.run("models", "status", ".", "--json").json()
    assert [(m["name"], m["state"]) for m in status] == [("Neg.pt", "present")]


def test_a_workflow_without_models_has_the_lock_it_always_had(place: Place) -> None:
    place.project("SaveImage")
    assert place.run("lock", ".").status == 0
    assert "models" not in place.change_lock()
    status = place.run("models", "status", ".")
    assert (status.out, status.err) == ("", ". needs no models\n")
    assert not (place.data / "models").exists()


def test_what_cannot_be_asked_is_an_error_that_says_how(place: Place) -> None:
    place.project("SaveImage")
    workflow(place, {"name": "a.safetensors", "directory": "loras", "url": "https://h.invalid/a"})
    status = place.run("models", "status", ".")
    assert status.status == 0 and "there is no lock" in status.err
    for arguments, told in {
        ("status", "nobody"): "no version nobody|nobody",
        ("add", "gone.safetensors", "--as", "loras/x"): "no such file",
        ("add", "workflow.json"): "--as FOLDER/NAME",
        ("add", "ftp://h/x", "--as", "loras/x"): "not a web address",
    }.items():
        done = place.run("models", *arguments)
        assert done.status == 1 and any(t in done.told for t in told.split("|")), done.err
    assert Path(place.data / "models" / "sha256").exists() is False


def test_a_dry_run_says_what_would_be_added(place: Place, site: Site, hubs: dict[str, str]) -> None:
    """With the path that it would have, and whether that would be a link; from a hub without fetching it."""
    url = site.add("org/repo", "a.safetensors", CHECKPOINT)
    file = place.write("b.safetensors", LORA)
    for source in (url, str(file)):
        words = ("models", "add", source, "--as", "checkpoints/x.safetensors", "--json")
        dry = place.run(*words, "--dry-run", env=hubs)
        assert dry.status == 0 and site.downloads() == [] and not (place.data / "models").exists(), dry.err
        done = place.run(*words, env=hubs)
        assert done.status == 0 and done.json() == dry.json()
        assert Path(done.json()[0]["path"]).is_file()
        shutil.rmtree(place.data / "models")
        site.asked.clear()
