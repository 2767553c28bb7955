"""Whatever an untrusted file has where a format has something else, it is refused or read, and never a crash."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.interchange.parse import list_zip_layouts, parse_environment, parse_members
from pycomfy.core.interchange.to_config import render_config
from pycomfy.core.lockfile.config import parse_config
from pycomfy.errors import PycomfyError

KEYS = [
    "comfyui",
    "git_custom_nodes",
    "cnr_custom_nodes",
    "file_custom_nodes",
    "pips",
    "custom_nodes",
    "hash",
    "disabled",
    "filename",
    "python",
    "models",
    "sha256",
    "source",
    "download_url",
    "url",
    "commit_hash",
    "name",
    "files",
    "install_type",
    "pip",
    "missing_nodes",
    "schema",
    "definition",
    "type",
    "baseComfyVersion",
    "customNodes",
    "repository",
    "gitRef",
    "registryVersion",
    "pipDependencies",
    "environment",
    "snapshots",
    "pipPackages",
    "pythonVersion",
    "torchStack",
    "ref",
    "packages",
    "indexTag",
    "baseTag",
    "commit",
    "id",
    "version",
    "enabled",
    "dirName",
    "createdAt",
    "file_type",
    "workflows",
    "viewComfyJSON",
    "inputs",
    "workflowPath",
    "valueType",
    "workflowApiJSON",
    "title",
    "lock-version",
    "marker",
    "wheels",
    "hashes",
    "vcs",
    "commit-id",
    "requires-python",
    "environments",
    "sdist",
]
VALUES = [
    "view_comfy",
    "distribution-definition/0",
    "comfy-build/1",
    "comfyui-desktop-2-snapshot",
    "1.0",
    "cnr",
    "git",
    "file",
    "copy",
    "numpy==1.26.4",
    "https://github.com/a/b",
    "git+https://github.com/a/b@main",
    "file:///etc",
    "v0.3.75",
    "../x",
    "models/vae/v.safetensors",
]
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(VALUES)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)
documents = st.dictionaries(st.sampled_from(KEYS), values, min_size=1, max_size=8)


def check(data: bytes, name: str) -> None:
    try:
        _, environment = parse_environment(data, name)
    except PycomfyError:
        return
    parse_config(render_config(environment, name).text)


@given(documents)
def test_odd_documents(value: object) -> None:
    check(json.dumps(value).encode(), "x.json")
    check(json.dumps(value).encode(), "x.yaml")


@given(documents, st.sampled_from(["git_custom_nodes", "custom_nodes"]))
def test_odd_packages(value: dict[str, object], key: str) -> None:
    value.setdefault(key, {} if key == "git_custom_nodes" else [])
    with contextlib.suppress(PycomfyError):
        (layout,) = list_zip_layouts()
        parse_members({"snapshot.json": json.dumps(value).encode()}, layout, "x.cpack.zip")


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_odd_bytes(data: bytes) -> None:
    for name in ("x.json", "x.yaml", "pylock.toml"):
        check(data, name)
