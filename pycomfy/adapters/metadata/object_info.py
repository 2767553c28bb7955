"""Read node definitions that the user points at: `/object_info` saved as a file, or a running ComfyUI."""

import json
from pathlib import Path
from typing import Any

from pycomfy.adapters.io import download
from pycomfy.adapters.io.http_client import without_login
from pycomfy.errors import BadInput, NetworkError, NotFound

MAX_BYTES = 256 * 1024 * 1024


def read_definitions(source: str) -> dict[str, Any]:
    """Return definitions by node type, from a JSON file or a URL; a server's address is enough (`http://host:8188`).

    Raises `NotFound`, `NetworkError`, or `BadInput` for any other answer than `/object_info`'s.
    """
    data = _fetch(source) if source.startswith(("http://", "https://")) else _read(source)
    where = without_login(source)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise BadInput(f"not JSON: {e}", where=where, fix=_FIX) from e
    if isinstance(value, dict) and isinstance(value.get("object_info"), dict):
        value = value["object_info"]
    if not isinstance(value, dict) or not all(isinstance(v, dict) and "input" in v for v in value.values()):
        raise BadInput("JSON, but no node definitions", where=where, fix=_FIX)
    return value


_FIX = "give the answer of a running ComfyUI's /object_info, saved as a file, or that server's address"


def _read(source: str) -> bytes:
    path = Path(source)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"larger than {MAX_BYTES >> 20} MiB", where=source, fix=_FIX)
        return path.read_bytes()
    except FileNotFoundError as e:
        raise NotFound(f"there is no file {path}", where=str(Path.cwd()), fix=_FIX) from e
    except OSError as e:
        raise BadInput(
            f"the file cannot be read: {e.strerror}", where=source, fix="check the path and its permissions"
        ) from e


def _fetch(source: str) -> bytes:
    url = source if source.rstrip("/").endswith("object_info") else source.rstrip("/") + "/object_info"
    try:
        return download.read(url, limit=MAX_BYTES, tries=1)
    except NetworkError as e:
        raise NetworkError(e.what, where=e.where, fix="start ComfyUI there, or give a saved file") from e
