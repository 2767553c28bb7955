"""The formats as their tools write them, in examples of our own."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pycomfy.core.interchange.comfy_pack import parse_cpack
from pycomfy.core.interchange.comfyui_manager import moment_of_name
from pycomfy.core.interchange.model import (
    ApiInput,
    Core,
    EnvironmentSpec,
    FilePack,
    Format,
    GitPack,
    ModelEntry,
    OtherPack,
    Package,
    RegistryPack,
)
from pycomfy.core.interchange.registry import parse_environment
from pycomfy.errors import BadInput, PycomfyError

A, B = "a" * 40, "b" * 40
SHA = "5" * 64
PACK = "https://github.com/ann/ComfyUI-Pack"


def read(value: object, name: str = "file.json", format_: Format | None = None) -> tuple[Format, EnvironmentSpec]:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parse_environment(data, name, format_)


SNAPSHOT: dict[str, Any] = {
    "comfyui": A,
    "git_custom_nodes": {PACK: {"hash": B, "disabled": False}, PACK + "-2": {"hash": B, "disabled": True}},
    "cnr_custom_nodes": {"pack-c": "1.0.1"},
    "file_custom_nodes": [{"filename": "x.py", "disabled": False}, {"filename": "y.py.disabled", "disabled": True}],
    "pips": {"aiohttp==3.11.2": "", "clip": "git+https://user:secret@github.com/openai/CLIP.git@dcba3cb"},
}


def test_a_snapshot_of_the_manager_in_both_forms() -> None:
    format_, recipe = read(SNAPSHOT)
    assert format_ == "manager-snapshot" and recipe.remarks == ()
    assert recipe.core == Core(A)
    assert recipe.packs == (
        GitPack(PACK, B),
        GitPack(PACK + "-2", B, enabled=False),
        RegistryPack("pack-c", "1.0.1"),
        FilePack("x.py"),
        FilePack("y.py", enabled=False),
    )
    assert recipe.packages == (
        Package("aiohttp", "3.11.2"),
        Package("clip", url="git+https://github.com/openai/CLIP.git@dcba3cb"),
    )
    yaml = f"""
custom_nodes:
  cnr_custom_nodes: {{pack-c: 1.0}}
  comfyui: {A}
  file_custom_nodes:
  - {{disabled: false, filename: x.py}}
  git_custom_nodes:
    {PACK}:
      disabled: false
      hash: {"1" * 40}
  pips:
    aiohttp==3.11.2: ''
"""
    assert read(yaml.encode(), "s.yaml") == (
        "manager-snapshot",
        EnvironmentSpec(
            core=Core(A),
            packs=(GitPack(PACK, "1" * 40), RegistryPack("pack-c", "1.0"), FilePack("x.py")),
            packages=(Package("aiohttp", "3.11.2"),),
        ),
    )


def test_a_snapshot_of_node_packs_alone_has_no_comfyui_and_no_packages() -> None:
    _, recipe = read({**SNAPSHOT, "comfyui": None, "pips": None})
    assert recipe.core is None and recipe.packages == ()


def test_a_snapshots_name_says_when_it_was_made() -> None:
    moment = datetime(2025, 3, 5, 12, tzinfo=UTC)
    assert moment_of_name("2025-03-04_23-59-59_snapshot.json") == moment
    assert moment_of_name("2025-03-04_23-59-59_cli-autosave.json") is None
    assert moment_of_name("2025-13-04_23-59-59_snapshot.json") is None and moment_of_name("mine.json") is None


def test_packages_of_comfy_pack_of_both_generations() -> None:
    models = [
        {"filename": "models/checkpoints/x.safetensors", "sha256": SHA, "source": {"download_url": "https://x.test/x"}},
        {"filename": "models\\loras\\y.safetensors", "sha256": SHA, "disabled": False, "size": 7},
        {"filename": "models/vae/z.safetensors", "sha256": SHA, "disabled": True},
    ]
    found = (
        ModelEntry("checkpoints/x.safetensors", SHA, ("https://x.test/x",)),
        ModelEntry("loras/y.safetensors", SHA),
    )
    new = {**SNAPSHOT, "python": "3.12", "models": models}
    files = {"snapshot.json": json.dumps(new).encode(), "workflow.json": b"W", "workflow_api.json": b"P"}
    recipe = parse_cpack(files, "x.cpack.zip")
    assert (recipe.python, recipe.models, recipe.workflow, recipe.prompt) == ("3.12", found, b"W", b"P")
    assert recipe.packs == read(SNAPSHOT)[1].packs
    assert recipe.remarks == ("the model models/vae/z.safetensors is disabled there, and left out",)

    old = {
        "python": "3.11",
        "custom_nodes": [{"url": PACK, "commit_hash": B, "disabled": False}, {"url": PACK + "-2", "commit_hash": B}],
        "models": models[:1],
    }
    files = {"snapshot.json": json.dumps(old).encode(), "requirements.txt": b"numpy==1.26.4\n-e .\n# c\nrequests>=2\n"}
    recipe = parse_cpack(files, "x.cpack.zip")
    assert recipe.packs == (GitPack(PACK, B), GitPack(PACK + "-2", B)) and recipe.models == found[:1]
    assert recipe.packages == (Package("numpy", "1.26.4"),) and recipe.core is None
    assert recipe.remarks == ("no pin of a package of the index: -e ., requests>=2",)
    with pytest.raises(BadInput, match=r"no snapshot\.json"):
        parse_cpack({}, "x.cpack.zip")


def test_a_dependency_graph() -> None:
    node = {"url": PACK, "name": "A pack", "hash": B, "files": [PACK], "install_type": "git-clone", "warning": "latest"}
    script = "https://raw.githubusercontent.com/ann/x/main/n.py"
    value = {
        "comfyui": A,
        "custom_nodes": {PACK: node, script: {"url": script, "name": "n", "files": [script], "install_type": "copy"}},
        "missing_nodes": ["Odd"],
        "models": {"vae": [{"name": "sub/a.safetensors"}], "unet": [{"name": "b.safetensors", "hash": SHA}]},
        "files": {"images": [{"name": "in.png", "url": "https://x.test/in.png"}]},
    }
    format_, recipe = read(value)
    assert (format_, recipe.core) == ("comfyui-json", Core(A))
    assert recipe.packs == (GitPack(PACK, B), FilePack("n.py", script))
    assert recipe.models == (ModelEntry("vae/sub/a.safetensors"), ModelEntry("unet/b.safetensors", SHA))
    assert recipe.remarks == (
        "A pack: latest",
        "no node pack is said for Odd",
        "input files are not carried over: in.png",
    )


def test_a_distribution_definition_alone_and_in_its_build() -> None:
    definition = {
        "schema": "distribution-definition/0",
        "baseComfyVersion": "0.30.2",
        "models": [
            {"type": "vae", "filename": "v.safetensors", "sha256": SHA, "sizeBytes": 3, "source": "local"},
            {"type": "ultralytics/bbox", "sourceUri": "https://x.test/face.pt?download=true"},
            {"type": "loras", "filename": "mine.safetensors", "blobId": "b1"},
        ],
        "customNodes": [
            {"name": "g", "repository": PACK, "gitRef": "deadbeef"},
            {"name": "was", "id": "pr-was", "registryVersion": "1.0.1"},
            {"name": "handmade"},
        ],
        "pipDependencies": "# captured\nnumpy==1.26.4\n",
        "environment": {"os": "Linux", "arch": "x86_64", "pythonVersion": "3.12.7", "torch": "2.5"},
    }
    format_, recipe = read(definition)
    assert format_ == "comfy-cli" and recipe.core == Core("v0.30.2") and recipe.python == "3.12.7"
    assert recipe.packs == (
        GitPack(PACK, "deadbeef", "g"),
        RegistryPack("pr-was", "1.0.1", "was"),
        OtherPack("handmade", "it was on one machine only"),
    )
    assert [m.place for m in recipe.models] == [
        "vae/v.safetensors",
        "ultralytics/bbox/face.pt",
        "loras/mine.safetensors",
    ]
    assert recipe.platforms == ("linux/amd64",) and len(recipe.remarks) == 1
    build = {"schema": "comfy-build/1", "name": "Mine", "description": "", "id": None, "definition": definition}
    assert read(build)[1] == EnvironmentSpec(**{**vars(recipe), "name": "Mine"})


@pytest.mark.parametrize(
    ("comfyui", "revision"),
    [
        ({"baseTag": "v0.30.2"}, "v0.30.2"),
        ({"ref": A, "commit": A, "baseTag": "v0.3.10", "commitsAhead": 2}, A),
        ({"ref": "v0.18.3", "commit": None, "releaseTag": "bundle"}, "v0.18.3"),
        ({"ref": "master", "baseTag": "v0.3.10", "commitsAhead": 2}, None),
    ],
)
def test_a_snapshot_of_the_desktop(comfyui: dict[str, object], revision: str | None) -> None:
    one = {
        "createdAt": "2026-09-08T02:00:00.000+02:00",
        "comfyui": comfyui,
        "customNodes": [
            {"type": "cnr", "id": "c", "version": "1.0.1", "enabled": True, "dirName": "c-dir"},
            {"type": "git", "id": "g", "dirName": "g", "url": PACK, "commit": B, "enabled": False},
            {"type": "file", "id": "f.py", "dirName": "f.py", "enabled": True},
            {"type": "git", "id": "nowhere", "dirName": "nowhere", "enabled": True},
        ],
        "pipPackages": {"numpy": "1.26.4", "clip": "git+https://x.test/clip"},
        "pythonVersion": "3.12.7",
    }
    envelope = {"type": "comfyui-desktop-2-snapshot", "version": 2, "installationName": "Mine", "snapshots": [one, one]}
    format_, recipe = read(envelope)
    assert format_ == "desktop-snapshot" and recipe.core == (Core(revision) if revision else None)
    assert recipe.packs[:3] == (
        RegistryPack("c", "1.0.1", "c-dir"),
        GitPack(PACK, B, "g", enabled=False),
        FilePack("f.py"),
    )
    assert isinstance(recipe.packs[3], OtherPack) and recipe.python == "3.12.7" and recipe.name == "Mine"
    assert recipe.packages == (Package("numpy", "1.26.4"), Package("clip", url="git+https://x.test/clip"))
    assert recipe.made_at == datetime(2026, 9, 8, tzinfo=UTC)
    assert recipe.remarks == ("it has 2 snapshots; the first is taken, which is the newest",)
    assert read(one)[1].packs == recipe.packs
    with pytest.raises(BadInput, match="no snapshot"):
        read({**envelope, "snapshots": []})


def test_the_torch_of_the_desktop_is_taken_with_what_it_was_built_for() -> None:
    source = {"kind": "pytorch-index", "backend": "cuda", "indexTag": "cu128"}
    stack = {"kind": "managed", "ref": {"stackId": "x", "packages": {"torch": "2.7.0"}, "source": source}}
    one = {"customNodes": [], "pipPackages": {"torch": "2.6.0", "numpy": "1.26.4"}, "torchStack": stack}
    assert read(one)[1].packages == (Package("torch", "2.7.0+cu128"), Package("numpy", "1.26.4"))
    observed = {"kind": "observed", "torchVersion": "2.6.0", "observedAt": ""}
    assert read({**one, "torchStack": observed})[1].packages == (Package("torch", "2.6.0"), Package("numpy", "1.26.4"))


def test_a_form_of_viewcomfy_with_and_without_groups() -> None:
    field = {"title": "Prompt", "workflowPath": ["6", "inputs", "text"], "valueType": "long-text", "value": "a cat"}
    odd = {"title": "Odd", "workflowPath": ["6", "text"], "valueType": "long-text"}
    for inputs in ([field, odd], [{"title": "CLIP", "key": "6", "inputs": [field, odd]}]):
        view = {"viewComfyJSON": {"title": "Cats", "inputs": inputs}, "workflowApiJSON": {"6": {"class_type": "X"}}}
        format_, recipe = read({"file_type": "view_comfy", "workflows": [view, {"viewComfyJSON": {"title": "Dogs"}}]})
        assert format_ == "view-comfy" and recipe.name == "Cats"
        assert recipe.inputs == (ApiInput("Prompt", "6", "text", "text", "Prompt", "a cat"),)
        assert json.loads(recipe.prompt or b"") == {"6": {"class_type": "X"}}
        assert recipe.remarks == (
            "it has 2 workflows; the first is taken, not Dogs",
            "fields that belong to no input of a node: Odd",
        )


def test_a_pylock_of_another_tool() -> None:
    text = f"""
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.11, <3.12"

[[packages]]
name = "Torch"
version = "2.5.0"
marker = "sys_platform == 'linux' and platform_machine == 'x86_64'"
[[packages.wheels]]
url = "https://x.test/torch-2.5.0-cp311-cp311-linux_x86_64.whl"
size = 9
hashes = {{ sha256 = "{SHA}" }}

[[packages]]
name = "colorama"
version = "0.4.6"
marker = "sys_platform == 'win32'"

[[packages]]
name = "mine"
directory = {{ path = "." }}

[[packages]]
name = "numpy"
version = "1.26.4"
sdist = {{ url = "https://x.test/numpy-1.26.4.tar.gz", hashes = {{ sha256 = "{SHA}" }} }}
"""
    format_, recipe = read(text.encode(), "pylock.toml")
    assert format_ == "pylock" and recipe.python == "3.11" and recipe.platforms == ()
    torch, numpy = recipe.packages
    assert (torch.pin, torch.platforms, torch.files[0].sha256) == ("torch==2.5.0", ("linux/amd64",), SHA)
    assert (numpy.pin, numpy.platforms, numpy.files) == ("numpy==1.26.4", (), ())
    assert recipe.remarks == (
        "not for Linux, and left out: colorama",
        "from a source tree, and left out: mine",
    )
    with pytest.raises(BadInput, match="version is 2"):
        read(b'lock-version = "2.0"\npackages = []\n', "pylock.toml")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b"{",
        b'{"a": 1}',
        b'{"nodes": []}',
        b'{"1": {"class_type": "X"}}',
        b"just a text",
        b"a: &a [1]\nb: *a\n",
        b"a: !!python/object/apply:os.system ['true']\n",
        b"[" * 100_000,
        b"a: " + b"[" * 5000,
        b"lock-version = [",
        b'{"git_custom_nodes": 3}',
        b'{"git_custom_nodes": {"x": {"hash": {}}}}',
        b'{"git_custom_nodes": {"' + b"x" * 5000 + b'": {"hash": ""}}}',
        b'{"type": "comfyui-desktop-2-snapshot", "snapshots": [3]}',
        b'{"schema": "comfy-build/1", "definition": []}',
        b'{"file_type": "view_comfy", "workflows": [{"viewComfyJSON": {"inputs": 3}}]}',
    ],
)
@pytest.mark.parametrize("name", ["x.json", "x.yaml", "x.toml"])
def test_what_is_none_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(PycomfyError) as e:
        parse_environment(data, name)
    assert isinstance(e.value, BadInput) or e.value.code == "problems"


def test_a_file_of_another_format_than_said_is_refused() -> None:
    with pytest.raises(BadInput, match="not a snapshot of ComfyUI Desktop, but a snapshot of ComfyUI-Manager") as e:
        read(SNAPSHOT, format_="desktop-snapshot")
    assert "--format manager-snapshot" in e.value.fix
    assert read({"comfyui": A}, format_="manager-snapshot")[1].core == Core(A)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(PycomfyError) as e:
        read({**SNAPSHOT, "comfyui": 3, "cnr_custom_nodes": [], "git_custom_nodes": {"x": 1}})
    assert str(e.value).count("where:") == 3
