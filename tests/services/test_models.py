"""Models from a version's lock to a container that reads them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io import process
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models import store as store_module
from pycomfy.adapters.models.pin import EarlierPins
from pycomfy.adapters.models.store import ModelStore
from pycomfy.core.lockfile.schema import ModelFile, UrlModel, parse_lock, render_lock
from pycomfy.core.models.manager_list import MODELS
from pycomfy.core.requirements.model import RequiredModel
from pycomfy.core.versions.reference import Reference
from pycomfy.errors import BadInput, BadLock, Fix, NetworkError, NotFound, Placeholder, suggest
from pycomfy.services.models.needed import models_status, pull_models, view_models
from pycomfy.services.models.pin import lock_models
from pycomfy.services.models.stored import add_folder, add_model, verify_models
from pycomfy.services.run.run import RunOptions, RunRequest, run
from pycomfy.services.workspace import Workspace
from tests.support.catalog_maps import A, lists
from tests.support.data_folders import new_paths
from tests.support.model_hub import Site, serve, sha256
from tests.support.repositories import commit
from tests.support.service_projects import make_files, record, record_layout
from tests.support.tiny_image import write_layout

LORA = b"a lora"
CHECKPOINT = b"a checkpoint"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return new_paths(tmp_path)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve() as site:
        yield site


def pinned(place: str, data: bytes, url: str | None = None) -> ModelFile:
    folder, _, name = place.partition("/")
    sources = () if url is None else (UrlModel(url=url),)
    return ModelFile(folder=folder, name=name, sha256=sha256(data), size=len(data), sources=sources)


def files(*models: ModelFile, name: str = "portrait") -> dict[str, bytes]:
    """A project whose lock has these models."""
    made = make_files(name)
    lock = parse_lock(made["pycomfy.lock"].decode())
    return {**made, "pycomfy.lock": render_lock(lock.model_copy(update={"models": models})).encode()}


def states(paths: Paths, target: str = "portrait") -> dict[str, str]:
    return {s.location: s.state for s in models_status(Workspace(paths), target)}


def test_models_of_a_version_are_fetched_and_added_until_none_is_missing(
    site: Site, paths: Paths, tmp_path: Path
) -> None:
    site.files["/a"] = CHECKPOINT
    record(paths, files(pinned("checkpoints/a.safetensors", CHECKPOINT, f"{site.cdn}/a"), pinned("loras/b.pt", LORA)))
    assert states(paths) == {"checkpoints/a.safetensors": "missing", "loras/b.pt": "missing"}
    with pytest.raises(NotFound, match=r"models are missing: checkpoints/a\.safetensors, loras/b\.pt") as caught:
        view_models(Workspace(paths), Reference("portrait", 1))
    assert caught.value.fixes == (suggest("models pull", target="portrait@1"),)
    with pytest.raises(NotFound, match="has no source"):
        pull_models(Workspace(paths), "portrait")
    assert states(paths) == {"checkpoints/a.safetensors": "present", "loras/b.pt": "missing"}
    (tmp_path / "mine.pt").write_bytes(LORA)
    added = add_model(Workspace(paths), str(tmp_path / "mine.pt"), "loras/b.pt")
    assert (added.place, added.sha256, added.replaced) == ("loras/b.pt", sha256(LORA), None)
    result = pull_models(Workspace(paths), "portrait@1")
    assert result.fetched == () and [m.name for m in result.present] == ["a.safetensors", "b.pt"]
    view = view_models(Workspace(paths), Reference("portrait", 1))
    assert view is not None and (view.folder / "loras/b.pt").samefile(tmp_path / "mine.pt")


def test_a_version_without_models_needs_none(paths: Paths) -> None:
    record(paths, make_files("hello"))
    assert view_models(Workspace(paths), Reference("hello")) is None and states(paths, "hello") == {}
    for unknown in ("nobody", "../x", "hello@7"):
        with pytest.raises(NotFound):
            models_status(Workspace(paths), unknown)


def test_one_models_path_cannot_be_anothers_folder(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LORA)
    add_model(Workspace(paths), str(tmp_path / "a"), "loras/a")
    record(paths, files(pinned("loras/a", LORA), pinned("loras/a/b", LORA)))
    with pytest.raises(BadLock, match="also a folder"):
        view_models(Workspace(paths), Reference("portrait"))


def test_a_file_is_called_what_comfyui_calls_it(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "ComfyUI" / "models" / "loras" / "sub" / "x.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(LORA)
    assert add_model(Workspace(paths), str(file), None).place == "loras/sub/x.safetensors"
    file.write_bytes(CHECKPOINT)
    assert add_model(Workspace(paths), str(file), None).replaced == sha256(LORA)
    (tmp_path / "y").write_bytes(LORA)
    for wrong in (None, "x", "../x/y", "custom_nodes/x.py", "loras/../../x", "/loras/x", ""):
        with pytest.raises(BadInput) as caught:
            add_model(Workspace(paths), str(tmp_path / "y"), wrong)
        (fix,) = caught.value.fixes
        assert isinstance(fix, Fix) and fix.arguments == {"place": Placeholder("FOLDER/NAME")}


def test_a_whole_folder_is_added_as_comfyui_has_it(paths: Paths, tmp_path: Path) -> None:
    models, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    for folder in (models / "loras" / "sub", models / "custom_nodes", elsewhere):
        folder.mkdir(parents=True)
    for name in ("loras/sub/a.safetensors", "loras/put_loras_here", "stray.pt", "loras/.hidden.pt"):
        (models / name).write_bytes(LORA)
    (elsewhere / "b.ckpt").write_bytes(CHECKPOINT)
    (models / "checkpoints").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(models / "loras" / "sub")
    (models / "loras" / "sub" / "up").symlink_to(models)
    (models / "vae").mkdir()
    (models / "vae" / "gone.pt").symlink_to("nowhere")
    added = add_folder(Workspace(paths), models)
    assert [a.place for a in added] == [
        "checkpoints/b.ckpt",
        "checkpoints/loop/a.safetensors",
        "loras/sub/a.safetensors",
    ]
    (models / "custom_nodes" / "x.pt").write_bytes(b"x")
    with pytest.raises(BadInput, match=r"custom_nodes/x\.pt"):
        add_folder(Workspace(paths), models)
    with pytest.raises(NotFound, match="no model"):
        add_folder(Workspace(paths), models / "vae")


def test_a_model_is_added_from_an_address_with_the_hash_it_has(site: Site, paths: Paths) -> None:
    site.files["/x.pth"] = LORA
    added = add_model(Workspace(paths), f"{site.cdn}/x.pth?token=secret", "sams/x.pth")
    assert added.sha256 == sha256(LORA) and not added.linked
    assert ModelStore(paths).list_added()["sams/x.pth"].url == f"{site.cdn}/x.pth"


def test_verify_finds_what_changed_and_what_is_gone(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, data in (("good", b"good"), ("changed", b"changed"), ("gone", b"gone")):
        (tmp_path / name).write_bytes(data)
        if name == "gone":
            monkeypatch.setattr(store_module, "link", lambda real, path: False)
        add_model(Workspace(paths), str(tmp_path / name), f"loras/{name}")
    assert all(m.intact for m in verify_models(Workspace(paths)))
    (tmp_path / "changed").write_bytes(b"CHANGED")
    (tmp_path / "gone").unlink()
    assert {m.names[0]: m.intact for m in verify_models(Workspace(paths))} == {
        "loras/good": True,
        "loras/changed": False,
        "loras/gone": False,
    }


def test_a_model_nobody_tells_of_is_the_managers_of_that_name_with_a_remark(
    site: Site, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", site.hub)
    address = site.add("org/sharp", "sharp.pth", LORA).replace(site.hub, "https://huggingface.co")
    entry = {"filename": "sharp.pth", "save_path": "default", "type": "upscale", "url": address}
    listed = {**lists({A: (["X"],)}), MODELS: json.dumps({"models": [entry]}).encode()}
    needs = [RequiredModel("upscale_models", "sharp.pth", "1"), RequiredModel("loras", "other.safetensors", "2")]
    without = lock_models(Workspace(paths), needs, [], tmp_path, EarlierPins())
    assert without.models == () and len(without.notes) == 2
    commit(tmp_path / "manager", listed)
    update_catalog(paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    found = lock_models(Workspace(paths), needs, [], tmp_path, EarlierPins())
    assert [(m.location, m.sha256) for m in found.models] == [("upscale_models/sharp.pth", sha256(LORA))]
    assert "ComfyUI-Manager's list: https://huggingface.co/org/sharp" in found.notes[0].text
    (tmp_path / "mine").write_bytes(CHECKPOINT)
    add_model(Workspace(paths), str(tmp_path / "mine"), "upscale_models/sharp.pth")
    mine = lock_models(Workspace(paths), needs, [], tmp_path, EarlierPins())
    assert [m.sha256 for m in mine.models] == [sha256(CHECKPOINT)]


def test_an_embedding_is_the_added_file_with_its_stem(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(LORA)
    for name in ("EasyNeg.safetensors", "neg/two.pt", "neg/two.safetensors"):
        add_model(Workspace(paths), str(tmp_path / "mine"), f"embeddings/{name}")
    needs = [RequiredModel("embeddings", name, "1") for name in ("EasyNeg", "neg/two", "other")]
    found = lock_models(Workspace(paths), needs, [], tmp_path, EarlierPins())
    assert [m.location for m in found.models] == ["embeddings/EasyNeg.safetensors"]
    assert len(found.notes) == 2, "two files have the other one's stem, and nobody knows the third"


Runner = Callable[..., str]


@pytest.fixture
def runner(engine: Engine, tmp_path: Path, paths: Paths) -> Iterator[Runner]:
    """Runs a script in a real container, with the models of a lock; what the script wrote to /data/found."""
    loaded: list[tuple[Engine, str]] = []

    def start(script: str, *models: ModelFile, **options: object) -> str:
        output = '{"event":"output","node":null,"kind":"files","file":"found","type":"output","path":"found",'
        output += '"media_type":"text/plain"}'
        done = '{"event":"done","outputs":1,"seconds":1}'
        whole = f"read request\n({script}) > /data/found 2>&1\necho '{output}'\necho '{done}'\n"
        layout = read_layout(write_layout(tmp_path / "layout", script=whole))
        loaded.append((engine, layout.config_digest.removeprefix("sha256:")))
        record_layout(paths, files(*models, name="pycomfy-test"), layout)
        chosen = replace(RunOptions(tmp_path / "out", models="auto"), **options)  # type: ignore[arg-type]
        (saved,) = run(Workspace(paths), RunRequest("pycomfy-test", chosen)).outputs
        return saved.path.read_text()

    yield start
    for engine, image in loaded:
        process.run(engine.command("rmi", "--force", image))


READ = 'for f in /models/*/*; do read line < "$f"; echo "$f $line"; done; echo x > /models/loras/a && echo written'


def test_a_container_sees_the_locked_models_and_cannot_change_them(
    runner: Runner, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"here\n")
    (tmp_path / "other disk").write_bytes(b"elsewhere\n")
    add_model(Workspace(paths), str(tmp_path / "a"), "loras/a")
    monkeypatch.setattr(store_module, "link", lambda real, path: False)
    assert add_model(Workspace(paths), str(tmp_path / "other disk"), "vae/b").linked
    monkeypatch.undo()
    lines = runner(READ, pinned("loras/a", b"here\n"), pinned("vae/b", b"elsewhere\n")).splitlines()
    assert lines[:2] == ["/models/loras/a here", "/models/vae/b elsewhere"]
    assert "written" not in lines and (tmp_path / "a").read_bytes() == b"here\n"


def test_a_run_with_missing_models_names_the_command(runner: Runner) -> None:
    with pytest.raises(NotFound) as caught:
        runner("exit 0", pinned("loras/a", LORA))
    assert caught.value.fixes == (suggest("models pull", target="pycomfy-test@1"),) and "loras/a" in caught.value.what


def test_a_run_can_do_without_them(runner: Runner) -> None:
    assert runner("echo /models/*", pinned("loras/a", LORA), models=None) == "/models/*\n"


def test_two_workspaces_have_the_hubs_of_their_own_environments(
    paths: Paths, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCOMFY_HF_ENDPOINT", "http://127.0.0.1:9")
    mine = Workspace(paths, environment={"PYCOMFY_HF_ENDPOINT": site.hub, "NETRC": str(tmp_path / "none")})
    url = site.add("org/repo", "a.safetensors", CHECKPOINT)
    assert add_model(mine, url, "checkpoints/a.safetensors").sha256 == sha256(CHECKPOINT)
    with pytest.raises((NetworkError, NotFound)):
        other = Workspace(Paths(tmp_path / "other", tmp_path / "other"))
        add_model(other, "https://huggingface.co/org/repo/resolve/main/a.safetensors", "checkpoints/a.safetensors")
