"""References to assets in a graph: found, checked, and replaced by names of files in ComfyUI's input folder.

`{"__type": "core/ASSET", "info": {"id": …}}` stands in an input where a file's name would (Comfy API v2). Only the id
counts; its `hash` and `file_path` are hints.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..assets.blobs import copy_file
from ..assets.model import Asset, BlobLost, UnknownAsset
from ..assets.store import AssetStore

REFERENCE = "core/ASSET"

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_STAGED = re.compile(r"pycomfy-[0-9a-f]{32}[A-Za-z0-9_-]*(\.[a-z0-9]+)?(\.new)?")
_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")
_MODELS = frozenset((".fbx", ".glb", ".gltf", ".obj", ".stl"))
_FOLDER_3D = "3d"


@dataclass(frozen=True)
class Reference:
    """`id` is the asset's, in lower case; None: it is malformed, and `problem` says how."""

    node: str
    input: str
    id: str | None
    problem: str | None = None


@dataclass(frozen=True)
class AssetProblem:
    """Why a reference cannot be followed: the error `missing_asset`."""

    node: str
    input: str
    message: str
    id: str | None = None


def find_references(graph: Mapping[str, Any]) -> list[Reference]:
    """Every reference in the inputs of every node, at any depth, in the graph's order."""
    found = []
    for node, name, value in _inputs(graph):
        pending = [value]
        while pending:
            value = pending.pop()
            if _is_reference(value):
                found.append(Reference(node, name, *_parse(value)))
            elif isinstance(value, dict):
                pending += reversed(value.values())
            elif isinstance(value, list):
                pending += reversed(value)
    return found


def list_assets(graph: Mapping[str, Any]) -> list[str]:
    """The ids of all assets that the graph refers to."""
    return list(dict.fromkeys(reference.id for reference in find_references(graph) if reference.id is not None))


async def check_references(graph: Mapping[str, Any], store: AssetStore, owner: str) -> list[AssetProblem]:
    """The references that are malformed, or to no asset of this owner's. Let the store hold them first."""
    problems = []
    known: dict[str, bool] = {}
    for reference in find_references(graph):
        if reference.id is None:
            message = f"malformed asset reference: {reference.problem}"
            problems.append(AssetProblem(reference.node, reference.input, message))
            continue
        if reference.id not in known:
            try:
                await store.get(reference.id, owner=owner)
                known[reference.id] = True
            except UnknownAsset:
                known[reference.id] = False
        if not known[reference.id]:
            problems.append(AssetProblem(reference.node, reference.input, "there is no such asset", reference.id))
    return problems


def replace_references(graph: Mapping[str, Any], name: Callable[[str], Any]) -> dict[str, Any]:
    """A copy of the graph with `name(id)` in the place of each reference. Raises `ValueError` for a malformed one."""

    def replaced(value: Any) -> Any:
        top = [value]
        pending: list[tuple[Any, Any]] = [(top, 0)]
        while pending:
            container, key = pending.pop()
            value = container[key]
            if _is_reference(value):
                asset, problem = _parse(value)
                if asset is None:
                    raise ValueError(f"malformed asset reference: {problem}")
                container[key] = name(asset)
            elif isinstance(value, dict):
                container[key] = copy = dict(value)
                pending += ((copy, inner) for inner in copy)
            elif isinstance(value, list):
                container[key] = listed = list(value)
                pending += ((listed, index) for index in range(len(listed)))
        return top[0]

    return {
        node: {**body, "inputs": {key: replaced(value) for key, value in body["inputs"].items()}}
        if isinstance(body, dict) and isinstance(body.get("inputs"), dict)
        else body
        for node, body in graph.items()
    }


def staged_name(asset: Asset) -> str:
    """The name that a node gets, below ComfyUI's input folder.

    It is made of the bytes' hash: the same bytes have the same name in the next job, so that ComfyUI's cache of results
    holds, and no other bytes ever have it. It lies in the folder itself, as the lists of many loaders have nothing of
    subfolders; of 3D files, Load3D lists those in `3d` only.
    """
    stem = _PLAIN.sub("_", PurePosixPath(asset.file_path or "").stem).strip("_-")[:40]
    digest = asset.hash.removeprefix("blake3:")[:32]
    name = f"pycomfy-{digest}{'-' if stem else ''}{stem}{asset.suffix}"
    return f"{_FOLDER_3D}/{name}" if asset.suffix in _MODELS else name


class Stager:
    """Puts the files of jobs into ComfyUI's input folder, and takes them away after the last job that needs them."""

    def __init__(self, store: AssetStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._users: dict[str, set[str]] = {}
        self._lock = asyncio.Lock()

    def clean(self) -> int:
        """Call at the start: removes what a killed process left. How many files that were."""
        removed = 0
        for folder in (self._folder, self._folder / _FOLDER_3D):
            with contextlib.suppress(FileNotFoundError):
                for path in folder.iterdir():
                    if _STAGED.fullmatch(path.name):
                        path.unlink()
                        removed += 1
        return removed

    async def stage(self, job: str, graph: Mapping[str, Any], *, owner: str | None = None) -> dict[str, Any]:
        """The graph with names in place of references; the files are there until `unstage(job)`.

        Raises `UnknownAsset`, `BlobLost`, `NoSpace`, `OSError`, `ValueError`; then nothing of the job's stays.
        """
        names: dict[str, str] = {}
        try:
            for reference in find_references(graph):
                if reference.id is not None and reference.id not in names:
                    asset = await self._store.get(reference.id, owner=owner)
                    names[reference.id] = await self._stage(job, asset)
            return replace_references(graph, names.__getitem__)
        except BaseException:
            await self.unstage(job)
            raise

    async def unstage(self, job: str) -> None:
        """Remove the files that no other job needs."""
        async with self._lock:
            for name in [name for name, users in self._users.items() if job in users]:
                self._users[name].discard(job)
                if not self._users[name]:
                    del self._users[name]
                    # A folder, should a node have put one in its place, is left alone.
                    with contextlib.suppress(OSError):
                        (self._folder / name).unlink()

    async def _stage(self, job: str, asset: Asset) -> str:
        name = staged_name(asset)
        target = self._folder / name
        async with self._lock:
            # A node may have moved it.
            there = name in self._users and target.is_file() and target.stat().st_size == asset.size
            self._users.setdefault(name, set()).add(job)
            if not there:
                await asyncio.to_thread(_materialise, self._store.path(asset), target)
        return name


def _materialise(blob: Path, target: Path) -> None:
    """Put the blob's bytes there at once: as a link where nothing here can write to a blob, else as a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.new")
    new.unlink(missing_ok=True)
    try:
        # Root may write to what is read-only: so might a node that works on the file where it is.
        if os.access(blob, os.W_OK):
            copy_file(blob, new)
        else:
            try:
                new.hardlink_to(blob)
            except FileNotFoundError:
                raise
            except OSError:  # another disk, or too many links
                copy_file(blob, new)
    except FileNotFoundError as e:
        raise BlobLost(f"the bytes of an input are gone: {e}") from e
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    new.replace(target)


def _inputs(graph: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for node, body in graph.items():
        inputs = body.get("inputs") if isinstance(body, dict) else None
        if isinstance(inputs, dict):
            for name, value in inputs.items():
                yield node, name, value


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type") == REFERENCE


def _parse(value: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The id, or what is wrong."""
    info = value.get("info")
    if not isinstance(info, dict):
        return None, "info is no object"
    asset = info.get("id")
    if not isinstance(asset, str) or not _UUID.fullmatch(asset):
        return None, "info.id is no UUID"
    return asset.lower(), None
