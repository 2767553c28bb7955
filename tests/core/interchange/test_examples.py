"""The formats as their tools write them, in examples made here."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pycomfy.core.interchange.comfyui_manager import parse_snapshot_name
from pycomfy.core.interchange.model import (
    ApiInput,
    ComfyUIRevision,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    OtherPack,
    Package,
    RegistryPack,
)
from pycomfy.core.interchange.parse import list_zip_layouts, parse_environment, parse_members
from pycomfy.core.interchange.registry import FORMATS, load_format
from pycomfy.errors import BadInput, PycomfyError, suggest

A, B = "a" * 40, "b" * 40
SHA = "5" * 64
PACK = "https://github.com/ann/ComfyUI-Pack"


def read(value: object, name: str = "file.json", expected: str | None = None) -> tuple[str, EnvironmentSpec]:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    format_, environment = parse_environment(data, name, None if expected is None else load_format(expected))
    return format_.name, environment


def read_package(snapshot: object, expected: str | None = None, **texts: bytes) -> tuple[str, EnvironmentSpec]:
    """Read a package of comfy-pack, whose other texts are named with `_` for the dot."""
    (layout,) = list_zip_layouts()
    members = {"snapshot.json": json.dumps(snapshot).encode()}
    members |= {".".join(name.rsplit("_", 1)): data for name, data in texts.items()}
    format_, environment = parse_members(
        members, layout, "x.cpack.zip", None if expected is None else load_format(expected)
    )
    return format_.name, environment


SNAPSHOT: dict[str, Any] = {
    "comfyui": A,
    "git_custom_nodes": {PACK: {"hash": B, "disabled": False}, PACK + "-2": {"hash": B, "disabled": True}},
    "cnr_custom_nodes": {"pack-c": "1.0.1"},
    "file_custom_nodes": [{"filename": "x.py", "disabled": False}, {"filename": "y.py.disabled", "disabled": True}],
    "pips": {"aiohttp==3.11.2": "", "clip": "git+https://user:secret@github.com/openai/CLIP.git@dcba3cb"},
}


def test_a_snapshot_of_the_manager_in_both_forms() -> None:
    format_, environment = read(SNAPSHOT)
    assert format_ == "manager-snapshot" and environment.notes == ()
    assert environment.comfyui == ComfyUIRevision(A)
    assert environment.packs == (
        GitPack(PACK, B),
        GitPack(PACK + "-2", B, enabled=False),
        RegistryPack("pack-c", "1.0.1"),
        FilePack("x.py"),
        FilePack("y.py", enabled=False),
    )
    assert environment.packages == (
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
            comfyui=ComfyUIRevision(A),
            packs=(GitPack(PACK, "1" * 40), RegistryPack("pack-c", "1.0"), FilePack("x.py")),
            packages=(Package("aiohttp", "3.11.2"),),
        ),
    )


def test_a_snapshot_of_node_packs_alone_has_no_comfyui_and_no_packages() -> None:
    _, environment = read({**SNAPSHOT, "comfyui": None, "pips": None})
    assert environment.comfyui is None and environment.packages == ()


def test_the_name_of_a_snapshot_dates_it() -> None:
    moment = datetime(2025, 3, 5, 12, tzinfo=UTC)
    assert parse_snapshot_name("2025-03-04_23-59-59_snapshot.json") == moment
    assert parse_snapshot_name("2025-03-04_23-59-59_cli-autosave.json") is None
    assert read(SNAPSHOT, "in/2025-03-04_23-59-59_snapshot.json")[1].made_at == moment
    assert parse_snapshot_name("2025-13-04_23-59-59_snapshot.json") is None and parse_snapshot_name("mine.json") is None


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
    format_, environment = read_package(new, workflow_json=b"W", workflow_api_json=b"P")
    assert format_ == "cpack"
    assert (environment.python, environment.models, environment.workflow, environment.prompt) == (
        "3.12",
        found,
        b"W",
        b"P",
    )
    assert environment.packs == read(SNAPSHOT)[1].packs
    assert environment.notes == ("the model models/vae/z.safetensors is disabled, and left out",)

    old = {
        "python": "3.11",
        "custom_nodes": [{"url": PACK, "commit_hash": B, "disabled": False}, {"url": PACK + "-2", "commit_hash": B}],
        "models": models[:1],
    }
    format_, environment = read_package(old, requirements_txt=b"numpy==1.26.4\n-e .\n# c\nrequests>=2\n")
    assert format_ == "cpack-0.3"
    assert environment.packs == (GitPack(PACK, B), GitPack(PACK + "-2", B)) and environment.models == found[:1]
    assert environment.packages == (Package("numpy", "1.26.4"),) and environment.comfyui is None
    assert environment.notes == ("Python requirements that are not exact pins, left out: -e ., requests>=2",)


def test_a_package_of_comfy_pack_may_have_a_plain_snapshot_of_the_manager() -> None:
    format_, environment = read_package(SNAPSHOT)
    assert format_ == "cpack" and environment.packs == read(SNAPSHOT)[1].packs
    with pytest.raises(BadInput, match="not a ComfyUI-Manager snapshot, but a comfy-pack package"):
        read_package(SNAPSHOT, "manager-snapshot")


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
    format_, environment = read(value)
    assert (format_, environment.comfyui) == ("comfyui-json", ComfyUIRevision(A))
    assert environment.packs == (GitPack(PACK, B), FilePack("n.py", script))
    assert environment.models == (ModelEntry("vae/sub/a.safetensors"), ModelEntry("unet/b.safetensors", SHA))
    assert environment.notes == (
        "A pack: latest",
        "node types without a node pack: Odd",
        "input files, not imported: in.png",
    )


def test_the_dependencies_of_a_workflow_that_cm_cli_lists() -> None:
    script = "https://raw.githubusercontent.com/x/y/main/n.py"
    value = {
        "custom_nodes": {
            PACK: {"state": "disabled", "hash": "-"},
            f"{PACK}2": {"state": "installed", "hash": A},
            script: {"state": "not-installed", "hash": "-"},
        },
        "unknown_nodes": ["Odd", "Odder"],
    }
    format_, environment = read(value)
    assert (format_, environment.comfyui) == ("cm-cli-deps", None)
    assert environment.packs == (GitPack(PACK), GitPack(f"{PACK}2", A), FilePack("n.py", script))
    assert environment.notes == ("node types without a node pack: Odd, Odder",)


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
    format_, environment = read(definition)
    assert (
        format_ == "comfy-cli" and environment.comfyui == ComfyUIRevision("v0.30.2") and environment.python == "3.12.7"
    )
    assert environment.packs == (
        GitPack(PACK, "deadbeef", "g"),
        RegistryPack("pr-was", "1.0.1", "was"),
        OtherPack("handmade", "it was local to one machine"),
    )
    assert [m.path for m in environment.models] == [
        "vae/v.safetensors",
        "ultralytics/bbox/face.pt",
        "loras/mine.safetensors",
    ]
    assert environment.platforms == ("linux/amd64",) and len(environment.notes) == 1
    build = {"schema": "comfy-build/1", "name": "Mine", "description": "", "id": None, "definition": definition}
    assert read(build)[1] == EnvironmentSpec(**{**vars(environment), "name": "Mine"})


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
    format_, environment = read(envelope)
    assert format_ == "desktop-snapshot" and environment.comfyui == (ComfyUIRevision(revision) if revision else None)
    assert environment.packs[:3] == (
        RegistryPack("c", "1.0.1", "c-dir"),
        GitPack(PACK, B, "g", enabled=False),
        FilePack("f.py"),
    )
    assert isinstance(environment.packs[3], OtherPack) and environment.python == "3.12.7" and environment.name == "Mine"
    assert environment.packages == (Package("numpy", "1.26.4"), Package("clip", url="git+https://x.test/clip"))
    assert environment.made_at == datetime(2026, 9, 8, tzinfo=UTC)
    assert environment.notes == ("the file has 2 snapshots: the first, which is the newest, is used",)
    assert read(one)[1].packs == environment.packs
    with pytest.raises(BadInput, match="no snapshot in the file"):
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
        format_, environment = read(
            {"file_type": "view_comfy", "workflows": [view, {"viewComfyJSON": {"title": "Dogs"}}]}
        )
        assert format_ == "view-comfy" and environment.name == "Cats"
        assert environment.inputs == (ApiInput("Prompt", "6", "text", "text", "Prompt", "a cat"),)
        assert json.loads(environment.prompt or b"") == {"6": {"class_type": "X"}}
        assert environment.notes == (
            "the file has 2 workflows: the first is used, not Dogs",
            "fields that are not inputs of a node, left out: Odd",
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
    format_, environment = read(text.encode(), "pylock.toml")
    assert format_ == "pylock" and environment.python == "3.11" and environment.platforms == ()
    torch, numpy = environment.packages
    assert (torch.pin, torch.platforms, torch.files[0].sha256) == ("torch==2.5.0", ("linux/amd64",), SHA)
    assert (numpy.pin, numpy.platforms, numpy.files) == ("numpy==1.26.4", (), ())
    assert environment.notes == (
        "not for Linux, left out: colorama",
        "built from a source tree, left out: mine",
    )
    with pytest.raises(BadInput, match=r"lock-version 2\.0 is not supported"):
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
def test_a_file_of_no_format_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(PycomfyError) as e:
        parse_environment(data, name)
    assert isinstance(e.value, BadInput) or e.value.code == "problems"


def test_a_file_of_another_format_than_expected_is_refused() -> None:
    with pytest.raises(BadInput, match="not a ComfyUI Desktop snapshot, but a ComfyUI-Manager snapshot") as e:
        read(SNAPSHOT, expected="desktop-snapshot")
    assert e.value.fixes == (suggest("retry", format_="manager-snapshot"), suggest("retry", format_=False))
    assert read({"comfyui": A}, expected="manager-snapshot")[1].comfyui == ComfyUIRevision(A)


def test_all_that_is_wrong_is_reported_at_once() -> None:
    with pytest.raises(PycomfyError) as e:
        read({**SNAPSHOT, "comfyui": 3, "cnr_custom_nodes": [], "git_custom_nodes": {"x": 1}})
    assert str(e.value).count("where:") == 3


def test_every_format_has_the_name_that_it_is_listed_by() -> None:
    assert [load_format(name).name for name in FORMATS] == list(FORMATS)
    assert all(load_format(name).filename and load_format(name).title for name in FORMATS)
    with pytest.raises(KeyError):
        load_format("docker")
