"""Resolving Python packages with the `uv` program: for another platform, as of a date, with hashes; nothing is built.

Only wheels are considered: to learn what an sdist needs, uv would have to run its code here.
"""

import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pycomfy.adapters.python.torch_resolution import put_for_variant
from pycomfy.adapters.python.uv_errors import explain_failure, find_failure
from pycomfy.adapters.python.uv_request import ResolutionRequest, ask_alone, put, reason
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.torch_variants import find_variant
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.errors import BadConfig, NotFound, raise_all


def compile_pylock(question: ResolutionRequest, cache: Path) -> dict[str, Any]:
    """The parsed `pylock.toml` (PEP 751) that uv answers with; an answer is kept in `cache` for a day.

    Nothing new can have been uploaded before a date that has passed, so the day matters only for what was withdrawn.

    With an accelerator, PyTorch's packages are builds for that: see `variants`.

    Raises `ResolutionImpossible` with uv's explanation and who wants what, `NoMatchingDistribution` for all packages
    that exist only as source or for other platforms, `NetworkError` without an index, `MissingTool` without uv.
    """
    known = cache if question.as_of < datetime.now(UTC) else None
    with tempfile.TemporaryDirectory(prefix="pycomfy-uv-") as folder:
        variant = find_variant(question.reach, question.target.platform)
        if variant is None:
            done, asking = put(question, Path(folder), known)
        else:
            done, asking = put_for_variant(question, variant, Path(folder), known)
        if isinstance(done, bytes):
            return tomllib.loads(done.decode())
        raise_all(explain_failure(asking, done))
        raise AssertionError("an explanation is never empty")


def pin_wheel(
    pin: str, target: Target, cache: Path, reach: IndexConfig = DEFAULT_INDEXES
) -> tuple[Wheel, datetime | None]:
    """The wheel of an exact pin (`name==version`), alone, and when it was uploaded, if the index tells.

    Raises `NotFound` if there is no such wheel, `BadConfig` if it is not one for every platform.
    """
    with tempfile.TemporaryDirectory(prefix="pycomfy-uv-") as folder:
        done = ask_alone(pin, target, reach, Path(folder), cache)
    if isinstance(done, str):
        raise (
            find_failure(done)
            or NotFound(
                f"there is no wheel {pin}: {reason(done)}", where="pycomfy.toml", fix="correct the name or the version"
            )
        )
    pylock = tomllib.loads(done.decode())
    (wheel,) = choose_wheels(pylock, target.platform, target.python)
    if not wheel.filename.endswith("-none-any.whl"):
        raise BadConfig(
            f"{wheel.filename} is not the same for every platform",
            where="pycomfy.toml",
            fix="name a wheel that ends in -none-any.whl",
        )
    uploads = [w.get("upload-time") for p in pylock["packages"] for w in p["wheels"]]
    times = [moment.astimezone(UTC) for moment in uploads if isinstance(moment, datetime) and moment.tzinfo]
    return wheel, max(times, default=None)
