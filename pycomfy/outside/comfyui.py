"""The node definitions of a real ComfyUI: asked of the one inside a built image, kept by what it is made of."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycomfy.errors import RunFailed
from pycomfy.outside.engine.choice import Engine
from pycomfy.outside.engine.container import run_container
from pycomfy.outside.engine.spec import ContainerSpec
from pycomfy.outside.files import write_file

_LIMIT = 600.0  # seconds; ComfyUI starts in 10 s on two cores, and in minutes with a hundred packs
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ImportFailure:
    """A node pack that ComfyUI could not import."""

    pack: str
    message: str
    traceback: str


@dataclass(frozen=True)
class NodeDefinitions:
    """`types` is the answer of `/object_info`: node type → definition."""

    comfyui_version: str
    types: dict[str, Any]
    failures: tuple[ImportFailure, ...]


def ask_image(engine: Engine, image_id: str, data: Path) -> NodeDefinitions:
    """Start ComfyUI in the image, without network and GPU, and ask what nodes it has. `data` is an empty folder.

    Raises `RunFailed` with ComfyUI's last words if it does not start.
    """
    lines: list[bytes] = []
    exit_ = run_container(engine, ContainerSpec(image_id, ("object-info",), data), b"", lines.append, _LIMIT)
    try:
        answer = json.loads(lines[-1]) if exit_.status == 0 and lines else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise RunFailed(
            f"ComfyUI did not start in the built image (exit status {exit_.status})",
            where=exit_.errors[-2000:],
            fix="the lines above say what is missing: often a requirement nobody declares; "
            'add it to pycomfy.toml, `requirements = ["NAME"]`, and lock again',
        )
    return parse_answer(answer)


def parse_answer(answer: dict[str, Any]) -> NodeDefinitions:
    """From the JSON that `object-info` prints, which is also what the cache keeps."""
    failures = tuple(ImportFailure(f["pack"], f["message"], f["traceback"]) for f in answer["import_failures"])
    return NodeDefinitions(str(answer.get("comfyui_version")), answer["object_info"], failures)


def read_cached(cache: Path, key: str) -> NodeDefinitions | None:
    """The definitions that were kept under `key`, a hash of all they depend on. None if none are, or broken ones."""
    try:
        answer = json.loads(_place(cache, key).read_bytes())
        return parse_answer(answer)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_cached(cache: Path, key: str, definitions: NodeDefinitions) -> None:
    """Keep the definitions under `key`."""
    failures = [{"pack": f.pack, "message": f.message, "traceback": f.traceback} for f in definitions.failures]
    answer = {
        "comfyui_version": definitions.comfyui_version,
        "object_info": definitions.types,
        "import_failures": failures,
    }
    write_file(_place(cache, key), json.dumps(answer))


def _place(cache: Path, key: str) -> Path:
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a SHA-256: {key!r}")
    return cache / "object_info" / f"{key}.json"
