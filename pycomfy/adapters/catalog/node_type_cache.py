"""Read the source of node packs and of ComfyUI for node types and imports; equal files are read once."""

import functools
import gc
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from pycomfy.adapters.io.computed import code_fingerprint, compute_once
from pycomfy.core import analysis
from pycomfy.core.analysis.evaluator_values import Trees
from pycomfy.core.analysis.model_inputs import find_model_inputs
from pycomfy.core.analysis.node_shapes import NodeShape, find_shapes
from pycomfy.core.analysis.node_types import NODE_LIST, NodeTypes, find_node_types, is_node_source
from pycomfy.core.analysis.pack_scan import Scan, scan_comfyui, scan_pack
from pycomfy.core.requirements.model_files import ModelInputs

T = TypeVar("T")


@dataclass(frozen=True)
class SourceReading:
    """Node types by their files; whether the code may make more of them while it runs, so that reading it does not tell
    all; and what it imports, installs and downloads."""

    types: Mapping[str, str]
    makes_types: bool
    scan: Scan


_READING = TypeAdapter(SourceReading)
_TYPES = TypeAdapter(NodeTypes)
_SHAPES = TypeAdapter(dict[str, NodeShape])
_MODEL_INPUTS: TypeAdapter[ModelInputs] = TypeAdapter(ModelInputs)


def read_pack(files: Mapping[str, str], cache: Path) -> SourceReading:
    """Read a node pack's source. The result is kept in `cache`, by a hash of the files."""

    def read(files: Mapping[str, str]) -> SourceReading:
        trees = Trees(files)
        found = find_node_types(files, trees)
        return SourceReading(dict(found.types), bool(found.dynamic), scan_pack(list(files), trees.tree))

    return _read_once("pack", read, files, cache)


def read_comfyui(files: Mapping[str, str], cache: Path) -> SourceReading:
    """Read ComfyUI's own source likewise. Only some of its files define nodes."""

    def read(files: Mapping[str, str]) -> SourceReading:
        trees = Trees(files)
        nodes = {path: text for path, text in files.items() if is_node_source(path)}
        found = find_node_types(nodes, trees)
        return SourceReading(dict(found.types), bool(found.dynamic), scan_comfyui(list(files), trees.tree))

    return _read_once("comfyui", read, files, cache)


def read_types(files: Mapping[str, str], cache: Path) -> NodeTypes:
    """Read only the node types of a pack's source. The result is kept in `cache`, by a hash of the files."""
    files = _sources(files)
    known = cache / "types" / f"{_fingerprint(files)}.json"
    return compute_once(known, _TYPES, lambda: _without_collection(find_node_types, files))


def read_model_inputs(files: Mapping[str, str], types: Collection[str], cache: Path) -> ModelInputs:
    """Read which inputs of these node types name model files. The result is kept in `cache`, by a hash of the files."""
    files = _sources(files)
    wanted = hashlib.sha256("\0".join(sorted(types)).encode(errors="surrogatepass")).hexdigest()[:16]
    known = cache / "model-inputs" / f"{_fingerprint(files)}-{wanted}.json"
    return compute_once(known, _MODEL_INPUTS, lambda: _without_collection(lambda f: find_model_inputs(f, types), files))


def read_shapes(files: Mapping[str, str], types: Collection[str], cache: Path) -> dict[str, NodeShape]:
    """Read the inputs and outputs of these node types. The result is kept in `cache`, by a hash of the files."""
    files = _sources(files)
    wanted = hashlib.sha256("\0".join(sorted(types)).encode(errors="surrogatepass")).hexdigest()[:16]
    known = cache / "shapes" / f"{_fingerprint(files)}-{wanted}.json"
    return compute_once(known, _SHAPES, lambda: _without_collection(lambda f: find_shapes(f, types), files))


def _read_once(
    kind: str, read: Callable[[Mapping[str, str]], SourceReading], files: Mapping[str, str], cache: Path
) -> SourceReading:
    files = _sources(files)
    known = cache / "sources" / f"{kind}-{_fingerprint(files)}.json"
    return compute_once(known, _READING, lambda: _without_collection(read, files))


def _without_collection(read: Callable[[Mapping[str, str]], T], files: Mapping[str, str]) -> T:
    """Return what `read` returns, without looking for garbage: among the objects of syntax trees, which are all in use
    until the end, that takes three times as long as parsing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return read(files)
    finally:
        if collecting:
            gc.enable()


def _sources(files: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if path.endswith(".py") or path == NODE_LIST}


def _fingerprint(files: Mapping[str, str]) -> str:
    digest = hashlib.sha256(_code().encode())
    for path, text in sorted(files.items()):
        for part in (path, text):
            data = part.encode(errors="surrogatepass")
            digest.update(b"%d:" % len(data))
            digest.update(data)
    return digest.hexdigest()


@functools.cache
def _code() -> str:
    """A hash of the code that reads."""
    return code_fingerprint(analysis)
