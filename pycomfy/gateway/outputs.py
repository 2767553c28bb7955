"""A job's outputs: whatever ComfyUI's nodes returned, as files below the data folder."""

import hashlib
import json
import mimetypes
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .events import Event, error
from .places import Places

VALUE_LIMIT = 16 * 1024
"""A returned value longer than this, as JSON, becomes a file."""

MEDIA_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".exr": "image/x-exr",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".obj": "model/obj",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".ply": "model/ply",
    ".png": "image/png",
    ".stl": "model/stl",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
}
"""Written out: a slim image has no mime.types, and the answer must not depend on the machine."""


def guess_media_type(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return MEDIA_TYPES.get(suffix) or mimetypes.types_map.get(suffix) or "application/octet-stream"


@dataclass
class Collector:
    """Turns node outputs into `output` events (a file each) and `value` events (anything small that is no file)."""

    places: Places
    titles: Mapping[str, str]
    _seen: set[Path] = field(default_factory=set)
    _already: frozenset[Path] = frozenset()

    def begin(self) -> None:
        """Call before the job: files that are there already are not its outputs."""
        self._already = frozenset(_files(self.places.output))

    def collect(self, outputs: Mapping[str, Any]) -> Iterator[Event]:
        """Every output of every node, then the files in the output folder that no node spoke of."""
        yield from self.collect_named(outputs)
        for path in _files(self.places.output):
            if path not in self._already and path not in self._seen:
                subfolder = str(path.parent.relative_to(self.places.output.resolve()))
                about = {"file": path.name, "subfolder": "" if subfolder == "." else subfolder, "type": "output"}
                yield self._file(None, "files", path, about)

    def collect_named(self, outputs: Mapping[str, Any]) -> Iterator[Event]:
        """Every output of every node. One that cannot be read or kept is an `error` event; the others still come."""
        for node, returned in outputs.items():
            if isinstance(returned, dict):
                for kind, values in returned.items():
                    for index, value in enumerate(values if isinstance(values, list) else [values]):
                        try:
                            yield from self._one(node, str(kind), index, value)
                        except (OSError, ValueError, RecursionError) as e:
                            about = {"node": node, "title": self.titles.get(node)}
                            yield error("output-lost", f"what the node returned cannot be kept: {e}", **about)

    def keep(self, node: str, kind: str, index: int, name: str, data: bytes) -> Event:
        """Store `data` as a result file, and return its event."""
        folder = self.places.results / _plain(node)
        folder.mkdir(parents=True, exist_ok=True)
        path = _free(folder / f"{_plain(kind)}_{index:05}{Path(name).suffix}")
        path.write_bytes(data)
        return self._file(node, kind, path, {"file": path.name, "subfolder": "", "type": "result"})

    def _one(self, node: str, kind: str, index: int, value: Any) -> Iterator[Event]:
        if isinstance(value, dict) and isinstance(value.get("filename"), str):
            yield self._named(node, kind, value)
        elif isinstance(value, str) and value:
            yield self.keep(node, kind, index, "text.txt", value.encode("utf-8", "surrogatepass"))
        elif value not in (None, ""):
            text = json.dumps(value, default=str)
            if len(text) > VALUE_LIMIT:
                yield self.keep(node, kind, index, "value.json", text.encode())
            else:
                yield {"event": "value", "node": node, "title": self.titles.get(node), "kind": kind, "value": value}

    def _named(self, node: str, kind: str, value: Mapping[str, Any]) -> Event:
        """A file that a node named. ComfyUI's own rule: the type is one of three folders, the rest lies below it."""
        base = {"output": self.places.output, "input": self.places.input, "temp": self.places.temp / "temp"}
        where = str(value.get("type") or "output")
        about = {"file": value["filename"], "subfolder": str(value.get("subfolder") or ""), "type": where}
        path = find_inside(base.get(where, self.places.output), about["subfolder"], about["file"])
        if path is None:
            head = {"event": "output", "node": node, "title": self.titles.get(node), "kind": kind}
            return {**head, **about, "path": None, "media_type": guess_media_type(about["file"])}
        self._seen.add(path)
        if where == "temp":
            # Outside the data folder, so gone with the container: keep a copy.
            folder = self.places.results / _plain(node)
            folder.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copyfile(path, _free(folder / path.name)))
        return self._file(node, kind, path, about)

    def _file(self, node: str | None, kind: str, path: Path, about: Mapping[str, str]) -> Event:
        with path.open("rb") as f:
            digest = hashlib.file_digest(f, "sha256").hexdigest()
        return {
            "event": "output",
            "node": node,
            "title": self.titles.get(node) if node else None,
            "kind": kind,
            **about,
            "path": str(path.resolve().relative_to(self.places.data.resolve())),
            "media_type": guess_media_type(path.name),
            "sha256": digest,
            "size": path.stat().st_size,
        }


def find_inside(base: Path, subfolder: str, name: str) -> Path | None:
    """The regular file below `base`, resolved; None where there is none, or where it would lie outside."""
    if "\0" in subfolder + name:
        return None
    root = os.path.realpath(base)  # unlike resolve(), at ease with a loop of links
    try:
        path = os.path.realpath(os.path.join(root, subfolder, name))  # noqa: PTH118  each path of pathlib takes as long
        return Path(path) if path.startswith(f"{root}{os.sep}") and os.path.isfile(path) else None  # noqa: PTH113
    except (OSError, ValueError):  # a name that no file can have
        return None


def _files(folder: Path) -> list[Path]:
    """Every regular file below `folder`, resolved and sorted; links are not followed."""
    found = []
    for parent, _, names in os.walk(folder.resolve()):
        for name in names:
            path = Path(parent, name)
            if stat.S_ISREG(path.lstat().st_mode):
                found.append(path)
    return sorted(found)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:80] or "_"


def _free(path: Path) -> Path:
    number = 2
    free = path
    while free.exists():
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return free
