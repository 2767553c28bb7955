"""Get node definitions from the ComfyUI inside a built image, and keep them by what the image is made of."""

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
    """The container started, and ComfyUI in it did not: the image is wrong, not the engine."""


def fetch_node_definitions(engine: Engine, image_id: str, data: Path) -> NodeDefinitions:
    """Start ComfyUI in the image, without network and GPU, and return its nodes. `data` is an empty folder.

    Raises `DidNotStart` with the end of ComfyUI's log, and `RunFailed` if the engine cannot start the container or it
    does not end within 10 minutes.
    """
    lines: list[bytes] = []
    exit_ = run_container(engine, ContainerSpec(image_id, ("object-info",), data), b"", lines.append, _LIMIT)
    try:
        return parse_answer(json.loads(lines[-1] if exit_.status == 0 and lines else b""))
    except (ValueError, RecursionError, KeyError, TypeError) as e:
        raise DidNotStart(
            f"ComfyUI did not start in the built image (exit status {exit_.status})",
            where=exit_.errors[-2000:],
            fix="see what is missing in the lines above: often a requirement that no pack declares; "
            'add it to pycomfy.toml, `requirements = ["NAME"]`, and lock again',
        ) from e


def parse_answer(answer: dict[str, Any]) -> NodeDefinitions:
    """Parse the JSON that the image's `object-info` prints, which the cache has too. Raises `ValueError`, `KeyError` or
    `TypeError` for any other."""
    if not isinstance(answer["object_info"], dict):
        raise ValueError("no node definitions")
    failures = tuple(ImportFailure(f["pack"], f["message"], f["traceback"]) for f in answer["import_failures"])
    # Older images have no remarks.
    remarks = tuple(Remark(r["pack"], r["text"]) for r in answer.get("remarks", ()))
    return NodeDefinitions(str(answer.get("comfyui_version")), answer["object_info"], failures, remarks)


def read_cached(cache: Path, key: str) -> NodeDefinitions | None:
    """Return the definitions kept under `key`, a hash of all they depend on; None if there are no intact ones."""
    try:
        return parse_answer(json.loads(_cache_path(cache, key).read_bytes()))
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
    write_file(_cache_path(cache, key), json.dumps(answer))


def _cache_path(cache: Path, key: str) -> Path:
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a SHA-256: {key!r}")
    return cache / "object_info" / f"{key}.json"
