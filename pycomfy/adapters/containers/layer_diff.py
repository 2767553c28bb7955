"""Explain how two builds of a layer differ: in which entries, and from which byte on."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycomfy.adapters.containers.layout import FILES
from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.nix.image_tar import Entry, list_entries

MAX_REPORTED = 20
"""Entries that are listed; the rest is counted."""

_CHUNK = 1 << 20
_GRACE_PERIOD = 120  # seconds that diffoscope gets
_MAX_LINES = 100  # of its report
_FIELDS = ("kind", "mode", "uid", "gid", "target", "size")


@dataclass(frozen=True)
class Explanation:
    """`lines` say what differs, at most `MAX_REPORTED` of them; `report` is diffoscope's on the first file, if it is
    installed."""

    lines: tuple[str, ...]
    report: str = ""


def explain_layers(old: Path, new: Path) -> Explanation:
    """Compare the folders of two layers entry by entry: names, modes, owners, links, and contents byte by byte. Raises
    `OSError` or `ValueError` for what is no layer."""
    before, after = ({entry.path: entry for entry in list_entries(layer)} for layer in (old, new))
    lines = [f"{name}: only in the recorded one" for name in before if name not in after]
    lines += [f"{name}: only in the rebuilt one" for name in after if name not in before]
    changed: list[str] = []
    for name in (n for n in before if n in after):
        what = [*_fields(before[name], after[name])]
        if not what and before[name].size and (at := _first_difference(*(_file(side, name) for side in (old, new)))):
            what.append(at)
            changed.append(name)
        if what:
            lines.append(f"{name}: {', '.join(what)}")
    if not lines:
        lines.append("the files are equal: the tars were made of them by different rules")
    report = _diffoscope(old, new, changed[0]) if changed else ""
    more = [f"and {len(lines) - MAX_REPORTED} more"] if len(lines) > MAX_REPORTED else []
    return Explanation((*lines[:MAX_REPORTED], *more), report)


def explain_json(old: Path, new: Path) -> Explanation:
    """List where two JSON files differ."""
    lines = list(_differences(json.loads(old.read_bytes()), json.loads(new.read_bytes()), ""))
    more = [f"and {len(lines) - MAX_REPORTED} more"] if len(lines) > MAX_REPORTED else []
    return Explanation((*(lines[:MAX_REPORTED] or ["only the formatting"]), *more))


def _fields(old: Entry, new: Entry) -> Iterator[str]:
    for field in _FIELDS:
        a, b = getattr(old, field), getattr(new, field)
        if a != b:
            yield f"{field} {a:o} → {b:o}" if field == "mode" else f"{field} {_shown(a)} → {_shown(b)}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _file(layer: Path, name: str) -> Path:
    return layer / FILES / name


def _first_difference(old: Path, new: Path) -> str:
    """Return where two files differ first, as text; "" if they are equal. Both have the same size."""
    at = 0
    with old.open("rb") as a, new.open("rb") as b:
        while left := a.read(_CHUNK):
            right = b.read(len(left))
            if left != right:
                i = next((i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), len(right))
                return f"from byte {at + i} on: {left[i : i + 8].hex()} → {right[i : i + 8].hex()}"
            at += len(left)
    return ""


def _diffoscope(old: Path, new: Path, name: str) -> str:
    """Return the first lines of diffoscope's report on a file, if it is installed and quick enough."""
    if shutil.which("diffoscope") is None or shutil.which("timeout") is None:
        return ""
    with scratch_folder() as folder:
        pair = [Path(folder, side, Path(name).name) for side in ("recorded", "rebuilt")]
        for layer, path in zip((old, new), pair, strict=True):
            path.parent.mkdir()
            shutil.copyfile(_file(layer, name), path)
        options = ("--text", "-", "--text-color", "never", "--no-progress", "--max-text-report-size", "20000")
        done = run(["timeout", str(_GRACE_PERIOD), "diffoscope", *options, *pair], cwd=Path(folder))
    return "\n".join(done.stdout.decode(errors="replace").splitlines()[:_MAX_LINES]) if done.returncode == 1 else ""


def _differences(old: Any, new: Any, at: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), f"{at}.{key}" if at else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(a, b, f"{at}[{i}]")
    elif old != new:
        yield f"{at}: {json.dumps(old)[:200]} → {json.dumps(new)[:200]}"
