"""Versions in a versions repository of their own, without building anything."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pycomfy.adapters.containers.layout import LayoutImage
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.entries import Build
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.adapters.versions.version import Version
from pycomfy.core.lockfile.schema import (
    ComfyUI,
    DebianPackage,
    Lock,
    ModelFile,
    Pack,
    Platform,
    Root,
    Wheel,
    WorkflowPin,
    render_lock,
)
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.path import PathSource
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace
from tests.support.moments import NOW

TREE = "sha256-" + "A" * 43 + "="


def node(class_type: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


PROMPT = {
    "1": node("LoadImage", image="a.png"),
    "2": node("KSampler", steps=20, cfg=1.0, latent=["1", 0]),
    "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
}


def make_lock(
    name: str, workflow: bytes, *, torch: str = "2.9.0", pack: str | None = "d", models: tuple[ModelFile, ...] = ()
) -> Lock:
    """A lock with one of each; `pack` is the digit that its node pack's commit is made of."""
    wheel = Wheel(
        name="torch", version=torch, filename=f"torch-{torch}.whl", url="https://x.test/t", sha256="b" * 64, size=9
    )
    deb = DebianPackage(name="tini", version="1", archive=0, path="pool/tini.deb", sha256="c" * 64, size=8)
    root = Root(suite="bookworm", archives=("https://x.test/debian/",), packages=(deb,), tree=TREE)
    packs = (
        [Pack(name="painter", source=GitSource(url="https://x.test/p", commit=pack * 40, tree=TREE))] if pack else []
    )
    return Lock(
        name=name,
        as_of="2025-12-05T00:00:00Z",
        workflow=WorkflowPin(sha256=hashlib.sha256(workflow).hexdigest()),
        comfyui=ComfyUI(version="0.3.75", source=PathSource(path="comfyui", tree=TREE)),
        packs=tuple(packs),
        models=models,
        platforms={"linux/amd64": Platform(root=root, wheels=(wheel,))},
    )


def make_files(name: str, prompt: Mapping[str, Any] = PROMPT, **pins: Any) -> dict[str, bytes]:
    """A project's files: the workflow in API format, which is its prompt."""
    workflow = (json.dumps(prompt, indent=1) + "\n").encode()
    return {
        "README.md": f"# {name}\n".encode(),
        "flake.nix": b"{ }\n",
        "nix/default.nix": b"{ }: { }\n",
        "pycomfy.lock": render_lock(make_lock(name, workflow, **pins)).encode(),
        "workflow.json": workflow,
        "prompt.json": workflow,
    }


def with_steps(steps: int) -> dict[str, Any]:
    return {**PROMPT, "2": node("KSampler", steps=steps, cfg=1.0, latent=["1", 0])}


def describe(image: LayoutImage) -> BuiltImage:
    return BuiltImage(
        platform=image.platform,  # type: ignore[arg-type]
        manifest_digest=image.manifest_digest,
        config_digest=image.config_digest,
        diff_ids=image.diff_ids,
        layer_names=image.layer_names,
        size=image.size,
        built_at="2026-01-01T00:00:00Z",
        seconds=1.0,
        layers_built=1,
        layers_reused=0,
    )


def make_image(*layers: str, size: int = 1000, **other: Any) -> BuiltImage:
    """An image of these layers."""
    digests = tuple(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in layers)
    digest = f"sha256:{hashlib.sha256(repr(layers).encode()).hexdigest()}"
    fields: dict[str, Any] = {"built_at": "2026-01-01T00:00:00Z", "seconds": 2.0, "layers_built": 1, "layers_reused": 3}
    return BuiltImage(
        platform="linux/amd64",
        manifest_digest=digest,
        config_digest=digest,
        diff_ids=digests,
        layer_names=tuple(name.partition(":")[0] for name in layers),
        size=size,
        **{**fields, **other},
    )


def record(paths: Paths, files: Mapping[str, bytes], message: str = "", image: BuiltImage | None = None) -> Version:
    """A version, recorded as `build` does; its name is the lock's."""
    name = json.loads(files["pycomfy.lock"])["name"]
    versions = VersionsRepository(versions_repository_path(paths))
    version = versions.commit(name, files, created_at=NOW, message=message).version
    if image is not None:
        versions.add_image(version.tree, image)
    index(Workspace(paths))
    return version


def record_layout(paths: Paths, files: Mapping[str, bytes], image: LayoutImage) -> Version:
    """A version with an image whose layout is here."""
    version = record(paths, files, image=describe(image))
    with Database(database_path(paths)) as database:
        database.record_build(Build(version.name, version.number or 0, describe(image), image.layout))
    return version
