"""Get node definitions from the ComfyUI inside a built image, and keep them by what the image is made of."""

import dataclasses
import json
import re
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

from pycomfy.adapters.containers.arguments import DEFAULT_LIMITS, MEMORY, ContainerSpec, Limits
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.process import KILLED, Exit, run_container
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.sentences import join_lines
from pycomfy.core.versions.verification import (
    ImportFailure,
    NodeDefinitions,
    Remark,
    what_to_add,
)
from pycomfy.core.workflow.untrusted_json import MAX_DEPTH, is_deeper_than
from pycomfy.errors import RunFailed

_LIMIT = 600.0  # seconds; ComfyUI starts in 10 s on two cores, and in minutes with a hundred packs
MAX_LOG = 64 << 20
_PACKAGES, _PACKS = "/run/packages", "/run/packs"
_GATEWAY = ("/opt/gateway/bin/python", "-E", "-u", "-B", "/opt/pycomfy/gateway")  # -E: PYTHONPATH is for ComfyUI
_KEY = re.compile(r"[0-9a-f]{64}")


class DidNotStart(RunFailed):
    """The container started, and ComfyUI in it did not: the image is wrong, not the engine."""


def fetch_node_definitions(
    engine: Engine,
    image: StartableImage,
    data: Path,
    log: Path,
    packages: Path | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    packs: Path | None = None,
    seconds: float = _LIMIT,
) -> NodeDefinitions:
    """Start ComfyUI in the image, without network and GPU, and return its nodes. `data` is an empty folder; what
    ComfyUI prints is written to `log`, at most 64 MiB of it. The Python packages in the folder `packages` go before
    those of the image. The container gets `limits`. With `packs`, ComfyUI waits before it loads node packs, until that
    folder has an order (see `spare`).

    Raises `DidNotStart` with the end of that, and `RunFailed` if the engine cannot start the container or it does not
    end within `seconds`.
    """
    lines: deque[bytes] = deque(maxlen=1)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:

        def keep(line: bytes) -> None:
            if file.tell() + len(line) < MAX_LOG:
                file.write(line + b"\n")

        spec = ContainerSpec(image, ("object-info",), data, limits=limits)
        if packages is not None:
            command = (f"PYTHONPATH={_PACKAGES}", *_GATEWAY, "object-info")
            spec = replace(spec, command=command, mounts={_PACKAGES: packages}, program="/usr/bin/env")
        if packs is not None:
            spec = replace(spec, command=("object-info", f"--packs={_PACKS}"), mounts={_PACKS: packs})
        exit_ = run_container(engine, spec, b"", lines.append, seconds, on_error=keep)
    last = lines[-1] if lines else b""
    try:
        return dataclasses.replace(parse_answer(json.loads(last if exit_.status == 0 else b"")), log=str(log))
    except (ValueError, RecursionError, KeyError, TypeError) as e:
        raise _did_not_start(exit_, last, log) from e


def _did_not_start(exit_: Exit, last: bytes, log: Path) -> DidNotStart:
    """The error for an image that gave no answer; `last` is the last line of its standard output."""
    try:
        answer = json.loads(last)
        why, failures = f": {join_lines(str(answer['error']))}", _parse_failures(answer)
    except (ValueError, RecursionError, KeyError, TypeError):
        why, failures = f" (exit status {exit_.status})", ()
    tail = (ImportFailure(COMFYUI, exit_.errors, ""),)
    killed = exit_.out_of_memory or exit_.status == KILLED or "memory was used up" in why or "was killed" in why
    packs = [f"{f.pack} cannot be imported: {f.message}" for f in failures]
    return DidNotStart(
        f"ComfyUI did not start in the built image{why}",
        where=f"all that it printed: {log}",
        details="\n".join((exit_.errors[-2000:], *packs)),
        fix=(
            *((f"give it more memory: set {MEMORY}, such as 24G",) if killed else ()),
            *(f"write into pycomfy.toml, and lock again: {line}" for line in what_to_add(failures or tail)),
            "see what is missing in the lines above: often a requirement that no pack declares; "
            'add it to pycomfy.toml, `requirements = ["NAME"]`, and lock again',
        ),
    )


def parse_answer(answer: dict[str, Any]) -> NodeDefinitions:
    """Parse the JSON that the image's `object-info` prints, which the cache has too. Raises `ValueError`, `KeyError` or
    `TypeError` for any other."""
    if not isinstance(answer["object_info"], dict) or is_deeper_than(answer, MAX_DEPTH):
        raise ValueError("no node definitions")
    # Older images have no remarks.
    remarks = tuple(Remark(str(r["pack"]), str(r["text"])) for r in answer.get("remarks", ()))
    return NodeDefinitions(str(answer.get("comfyui_version")), answer["object_info"], _parse_failures(answer), remarks)


def _parse_failures(answer: dict[str, Any]) -> tuple[ImportFailure, ...]:
    return tuple(
        ImportFailure(str(f["pack"]), str(f["message"]), str(f["traceback"])) for f in answer["import_failures"]
    )


def log_path(cache: Path, key: str) -> Path:
    """Return where the log of the ComfyUI is kept whose answer is kept under `key`."""
    return _cache_path(cache, key).with_suffix(".log")


def read_cached(cache: Path, key: str) -> NodeDefinitions | None:
    """Return the definitions kept under `key`, a hash of all they depend on; None if there are no intact ones."""
    log = log_path(cache, key)
    try:
        found = parse_answer(json.loads(_cache_path(cache, key).read_bytes()))
        return dataclasses.replace(found, log=str(log) if log.exists() else "")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def render_answer(definitions: NodeDefinitions) -> str:
    """Return the definitions as JSON, which `parse_answer` reads."""
    answer = {
        "comfyui_version": definitions.comfyui_version,
        "object_info": definitions.types,
        "import_failures": [vars(failure) for failure in definitions.failures],
        "remarks": [vars(remark) for remark in definitions.remarks],
    }
    return json.dumps(answer)


def write_cached(cache: Path, key: str, definitions: NodeDefinitions) -> None:
    """Keep the definitions under `key`."""
    write_file(_cache_path(cache, key), render_answer(definitions))


def _cache_path(cache: Path, key: str) -> Path:
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a SHA-256: {key!r}")
    return cache / "object_info" / f"{key}.json"
