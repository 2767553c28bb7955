"""What sources provide and reach for, read once: equal files say the same as long as they are read the same."""

import contextlib
import functools
import gc
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.core import analysis
from pycomfy.core.analysis.evaluator_values import Trees
from pycomfy.core.analysis.node_types import NODE_LIST, NodeTypes, find_node_types, is_node_source
from pycomfy.core.analysis.pack_scan import Scan, scan_comfyui, scan_pack


@dataclass(frozen=True)
class SourceReading:
    """Node types by their files, and what the code imports, installs and downloads."""

    types: Mapping[str, str]
    scan: Scan


_READING = TypeAdapter(SourceReading)


def read_pack(files: Mapping[str, str], cache: Path) -> SourceReading:
    """Read a node pack's source; the answer is kept in `cache` by a hash of the files."""

    def read(files: Mapping[str, str]) -> SourceReading:
        trees = Trees(files)
        return SourceReading(dict(find_node_types(files, trees).types), scan_pack(list(files), trees.tree))

    return _read_once("pack", read, files, cache)


def read_comfyui(files: Mapping[str, str], cache: Path) -> SourceReading:
    """The same of ComfyUI's own source, of which only some files define nodes."""

    def read(files: Mapping[str, str]) -> SourceReading:
        trees = Trees(files)
        nodes = {path: text for path, text in files.items() if is_node_source(path)}
        return SourceReading(dict(find_node_types(nodes, trees).types), scan_comfyui(list(files), trees.tree))

    return _read_once("comfyui", read, files, cache)


def read_types(files: Mapping[str, str], cache: Path) -> NodeTypes:
    """As `needs.catalog.catalog`; the answer is kept in `cache` by a hash of the files."""
    files = _sources(files)
    known = cache / "types" / f"{_fingerprint(files)}.json"
    try:
        value = json.loads(known.read_bytes())
        return NodeTypes({str(k): str(v) for k, v in value["types"].items()}, tuple(map(str, value["dynamic"])))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    with _uncollected():
        found = find_node_types(files)
    write_file(known, json.dumps({"types": dict(found.types), "dynamic": found.dynamic}))
    return found


def _read_once(
    kind: str, read: Callable[[Mapping[str, str]], SourceReading], files: Mapping[str, str], cache: Path
) -> SourceReading:
    files = _sources(files)
    known = cache / "sources" / f"{kind}-{_fingerprint(files)}.json"
    try:
        return _READING.validate_json(known.read_bytes())
    except (OSError, ValidationError):
        pass
    with _uncollected():
        found = read(files)
    write_file(known, _READING.dump_json(found))
    return found


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for garbage: among the objects of syntax trees, which are all in use until the end, that takes
    three times as long as parsing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _sources(files: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if path.endswith(".py") or path == NODE_LIST}


def _fingerprint(files: Mapping[str, str]) -> str:
    digest = hashlib.sha256(_reader())
    for path, text in sorted(files.items()):
        for part in (path, text):
            data = part.encode(errors="surrogatepass")
            digest.update(b"%d:" % len(data))
            digest.update(data)
    return digest.hexdigest()


@functools.cache
def _reader() -> bytes:
    """A hash of the code that reads: a pycomfy that reads better must not believe what another one saw."""
    files = sorted(Path(str(analysis.__file__)).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).digest()
