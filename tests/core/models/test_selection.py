import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.config import ModelSpec, parse_config
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.schema import (
    ComfyUI,
    HuggingFaceModel,
    Lock,
    ModelFile,
    Platform,
    Root,
    UrlModel,
    WorkflowPin,
    parse_lock,
    render_lock,
)
from pycomfy.core.models.selection import RequestedModel, UnpinnedModel, is_pickle, list_models
from pycomfy.core.requirements.model import RequiredModel
from pycomfy.core.sources.path import PathSource
from pycomfy.errors import BadConfig, BadLock

SHA = "a" * 64
TREE = "sha256-" + "A" * 43 + "="


def lock(*models: ModelFile) -> Lock:
    root = Root(suite="bookworm", archives=(), packages=(), tree=TREE)
    return Lock(
        name="x",
        as_of="2025-12-05T00:00:00Z",
        workflow=WorkflowPin(sha256=SHA),
        comfyui=ComfyUI(version="1", source=PathSource(path="x", tree=TREE)),
        platforms={"linux/amd64": Platform(root=root, wheels=())},
        models=models,
    )


def model(place: str = "checkpoints/x.safetensors") -> ModelFile:
    folder, _, name = place.partition("/")
    source = HuggingFaceModel(repository="o/r", revision="0" * 40, path="x")
    return ModelFile(folder=folder, name=name, sha256=SHA, size=3, sources=(source, UrlModel(url="https://h/x")))


def test_a_lock_without_models_does_not_mention_them() -> None:
    assert '"models"' not in render_lock(lock())
    assert parse_lock(render_lock(lock())) == lock()


@given(st.permutations(["loras/a", "checkpoints/b", "checkpoints/a", "vae/x/y"]))
def test_a_lock_is_the_same_whatever_order_its_models_were_found_in(places: list[str]) -> None:
    text = render_lock(lock(*map(model, places)))
    assert text == render_lock(lock(*map(model, sorted(places))))
    assert [m.location for m in parse_lock(text).models] == sorted(places)


def test_models_are_no_part_of_the_environment() -> None:
    assert environment_fingerprint(lock(), "linux/amd64", {}) == environment_fingerprint(
        lock(model()), "linux/amd64", {}
    )


def test_the_gateway_is_part_of_the_environment() -> None:
    """Another one may load node packs that failed before."""
    kinds: tuple[dict[str, bytes], ...] = (
        {},
        {"a.py": b"1"},
        {"a.py": b"2"},
        {"b.py": b"2"},
        {"a.py": b"2", "b.py": b"2"},
    )
    assert len({environment_fingerprint(lock(), "linux/amd64", gateway) for gateway in kinds}) == len(kinds)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("folder", "../x"),
        ("folder", "custom_nodes"),
        ("folder", "custom_nodes/x"),
        ("folder", ".hidden"),
        ("folder", "/etc"),
        ("name", "../../x"),
        ("name", "a\\b"),
        ("name", "/x"),
        ("name", "a\nb"),
        ("sha256", "x"),
        ("size", -1),
        ("sources", [{"kind": "url", "url": "file:///etc/passwd"}]),
        ("sources", [{"kind": "url", "url": "https://me:pw@h/x"}]),
        ("sources", [{"kind": "huggingface", "repository": "../x", "revision": "0" * 40, "path": "x"}]),
        ("sources", [{"kind": "huggingface", "repository": "o/r", "revision": "main", "path": "x"}]),
        ("sources", [{"kind": "civitai", "version": 1, "query": "a b"}]),
    ],
)
def test_a_lock_with_a_hostile_model_is_refused(key: str, value: object) -> None:
    data = json.loads(render_lock(lock(model())))
    data["models"][0][key] = value
    with pytest.raises(BadLock):
        parse_lock(json.dumps(data))


def test_pycomfy_toml_adds_models_and_goes_before_the_workflow() -> None:
    needs = [
        RequiredModel("loras", "a.safetensors", "1", "https://h/a", SHA),
        RequiredModel("loras", "b.safetensors", "2", "https://h/b"),
        RequiredModel("vae", "c.safetensors", "3", "https://h/c", SHA),
        RequiredModel("loras", "a.safetensors", "4"),
    ]
    specs = [
        ModelSpec(folder="loras", name="a.safetensors", url="https://mine/a"),
        ModelSpec(folder="vae", name="c.safetensors"),
        ModelSpec(folder="sams", name="implicit.pth", path="x"),
    ]
    wanted, unpinned = list_models(needs, specs)
    assert unpinned == ()
    assert wanted == (
        RequestedModel("loras", "a.safetensors", "https://mine/a", configured=True),
        RequestedModel("loras", "b.safetensors", "https://h/b"),
        RequestedModel("sams", "implicit.pth", path="x", configured=True),
        RequestedModel("vae", "c.safetensors", "https://h/c", SHA, configured=True),
    )


def test_a_model_without_a_folder_takes_it_from_pycomfy_toml_or_is_told() -> None:
    needs = [RequiredModel(None, "a.pt", "1"), RequiredModel(None, "b.pt", "2")]
    wanted, unpinned = list_models(needs, [ModelSpec(folder="sams", name="a.pt", url="https://h/a")])
    assert [w.location for w in wanted] == ["sams/a.pt"]
    fix = 'name it in pycomfy.toml: [[models]] with folder = "…" and its url'
    assert unpinned == (UnpinnedModel(None, "b.pt", "node 2 does not say which folder it is in", (fix,)),)


@pytest.mark.parametrize(
    ("folder", "name"), [("custom_nodes", "x.py"), ("..", "x"), ("vae", "../../x"), ("vae", "x" * 600), ("vae", "/x")]
)
def test_a_workflow_cannot_put_a_model_elsewhere(folder: str, name: str) -> None:
    wanted, unpinned = list_models([RequiredModel(folder, name, "1", "https://h/x", SHA)], [])
    assert wanted == () and len(unpinned) == 1


@pytest.mark.parametrize("name", ["a.ckpt", "a.PT", "a.pth", "pytorch_model.bin", "a.pkl"])
def test_pickles_are_known_by_their_name(name: str) -> None:
    assert is_pickle(name) and not is_pickle(name + ".safetensors")


def test_models_of_pycomfy_toml_are_checked() -> None:
    config = parse_config('[[models]]\nfolder = "vae"\nname = "a/b.safetensors"\nurl = "https://h/x"\n')
    assert config.models[0].name == "a/b.safetensors"
    for wrong, message in {
        'folder = "vae"': "models[0] lacks name",
        'folder = "custom_nodes"\nname = "x"': "models[0].folder: models do not go there",
        'folder = "vae"\nname = "x"\nurl = "https://h"\npath = "y"': "give either url or path",
        'folder = "vae"\nname = "x"\nsha256 = "zz"': "models[0].sha256",
        'folder = "vae"\nname = "x"\n[[models]]\nfolder = "vae"\nname = "x"': "vae/x is listed twice",
    }.items():
        with pytest.raises(BadConfig) as caught:
            parse_config(f"[[models]]\n{wrong}\n")
        assert message in caught.value.what
