"""The node definitions of a real ComfyUI: asked of the one inside a built image, kept by what it is made of."""

import json
import re
from pathlib import Path
from typing import Any

from pycomfy.adapters.containers.arguments import ContainerSpec
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.process import run_container
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.core.versions.verification import ImportFailure, NodeDefinitions, Remark
from pycomfy.errors import RunFailed

_LIMIT = 600.0  # seconds; ComfyUI starts in 10 s on two cores, and in minutes with a hundred packs
_KEY = re.compile(r"[0-9a-f]{64}")


class DidNotStart(RunFailed):
    """The container ran, and ComfyUI in it did not: the image's fault, not the engine's."""


def fetch_node_definitions(engine: Engine, image_id: str, data: Path) -> NodeDefinitions:
    """Start ComfyUI in the image, without network and GPU, and ask what nodes it has. `data` is an empty folder.

    Raises `DidNotStart` with ComfyUI's last words, and `RunFailed` if the engine cannot start the container.
    """
    lines: list[bytes] = []
    exit_ = run_container(engine, ContainerSpec(image_id, ("object-info",), data), b"", lines.append, _LIMIT)
    try:
        return parse_answer(json.loads(lines[-1] if exit_.status == 0 and lines else b""))
    except (ValueError, RecursionError, KeyError, TypeError) as e:
        raise DidNotStart(
            f"ComfyUI did not start in the built image (exit status {exit_.status})",
            where=exit_.errors[-2000:],
            fix="the lines above say what is missing: often a requirement nobody declares; "
            'add it to pycomfy.toml, `requirements = ["NAME"]`, and lock again',
        ) from e


def parse_answer(answer: dict[str, Any]) -> NodeDefinitions:
    """From the JSON that `object-info` prints, which is also what the cache keeps. Raises `ValueError`, `KeyError`
    or `TypeError` for any other."""
    if not isinstance(answer["object_info"], dict):
        raise ValueError("no node definitions")
    failures = tuple(ImportFailure(f["pack"], f["message"], f["traceback"]) for f in answer["import_failures"])
    # Images that were built before there were remarks say none.
    remarks = tuple(Remark(r["pack"], r["text"]) for r in answer.get("remarks", ()))
    return NodeDefinitions(str(answer.get("comfyui_version")), answer["object_info"], failures, remarks)


def read_cached(cache: Path, key: str) -> NodeDefinitions | None:
    """The definitions that were kept under `key`, a hash of all they depend on. None if none are, or broken ones."""
    try:
        answer = json.loads(_place(cache, key).read_bytes())
        return parse_answer(answer)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_cached(cache: Path, key: str, definitions: NodeDefinitions) -> None:
    """Keep the definitions under `key`."""
    answer = {
        "comfyui_version": definitions.comfyui_version,
        "object_info": definitions.types,
        "import_failures": [vars(failure) for failure in definitions.failures],
        "remarks": [vars(remark) for remark in definitions.remarks],
    }
    write_file(_place(cache, key), json.dumps(answer))


def _place(cache: Path, key: str) -> Path:
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a SHA-256: {key!r}")
    return cache / "object_info" / f"{key}.json"
