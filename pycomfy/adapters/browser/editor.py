"""Ask the editor of an image what it sends for workflows: Chromium in a container of the image, without a network."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pycomfy.adapters.containers.arguments import DEFAULT_LIMITS, ContainerSpec, Limits
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.process import ContainerTimeout, LineTooLong, run_container
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.core.prompt.editor_prompt import MOMENTS, BadAnswer, EditorAnswer, parse_answer, render_answer

DRIVER = Path(__file__).parent / "driver"
"""What runs in the container: it is mounted, and in no image."""

START_LIMIT, WORKFLOW_LIMIT = 600.0, 400.0
"""Seconds that ComfyUI and the browser get to start, and that the editor gets for a workflow."""

MAX_LOG = 16 << 20
MAX_KEPT = 64 << 20
"""Bytes of a log, and of an answer in the cache."""

_ENTRYPOINT = "/usr/bin/tini"
_COMMAND = ("-g", "--", "/opt/venv/bin/python", "-B", "/run/editor/driver.py")


def ask_editor(
    engine: Engine,
    image: StartableImage,
    browser: Path,
    workflows: Sequence[object],
    data: Path,
    log: Path,
    limits: Limits = DEFAULT_LIMITS,
) -> list[EditorAnswer | BadAnswer]:
    """Start the image with the unpacked `browser` beside it, and return what its editor sends for each workflow, a
    graph as JSON has it. `data` is an empty folder for the container; `log` gets what ComfyUI and the browser write,
    and is removed if no answer is bad.

    Raises `RunFailed` if the engine cannot start the container.
    """
    request = json.dumps({"workflows": list(workflows), "moments": list(MOMENTS)}).encode() + b"\n"
    lines: list[bytes] = []
    ended = "the browser ended without an answer"

    def take(line: bytes) -> None:
        if len(lines) < len(workflows):
            lines.append(line)

    with log.open("wb") as file:

        def write(line: bytes) -> None:
            if file.tell() < MAX_LOG:
                file.write(line + b"\n")

        mounts = {"/run/browser": browser, "/run/editor": DRIVER}
        spec = ContainerSpec(image, _COMMAND, data, mounts=mounts, program=_ENTRYPOINT, limits=limits)
        limit = START_LIMIT + WORKFLOW_LIMIT * len(workflows)
        try:
            exit_ = run_container(engine, spec, request, take, limit, on_error=write)
            if exit_.status:
                ended = exit_.errors.rsplit("\n", 1)[-1] or ended
        except (ContainerTimeout, LineTooLong) as e:
            ended = e.what
    answers = [_read(line) for line in lines]
    answers += [BadAnswer(ended) for _ in workflows[len(lines) :]]
    if not any(isinstance(answer, BadAnswer) for answer in answers):
        log.unlink()
    return answers


def _read(line: bytes) -> EditorAnswer | BadAnswer:
    try:
        return parse_answer(line)
    except BadAnswer as e:
        return e


def answer_key(environment: str, browser: Sequence[str], workflow: object) -> str:
    """Return a hash of all that an answer depends on: the fingerprint of the image's environment, the hashes of the
    browser's packages, the driver, and the workflow with the order of its keys, which scripts see."""
    parts = [environment, sorted(browser), _driver_fingerprint(), list(MOMENTS), workflow]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_kept(cache: Path, key: str) -> EditorAnswer | None:
    """Return the answer kept under `key`; None if there is no intact one."""
    try:
        path = _kept_path(cache, key)
        return parse_answer(path.read_bytes()) if path.stat().st_size <= MAX_KEPT else None
    except (OSError, BadAnswer):
        return None


def keep(cache: Path, key: str, answer: EditorAnswer) -> None:
    """Keep an answer."""
    write_file(_kept_path(cache, key), render_answer(answer))


def _kept_path(cache: Path, key: str) -> Path:
    return cache / "editor" / f"{key}.json"


@functools.cache
def _driver_fingerprint() -> str:
    files: Mapping[str, bytes] = {p.name: p.read_bytes() for p in sorted(DRIVER.iterdir()) if p.is_file()}
    return hashlib.sha256(repr(files).encode()).hexdigest()
