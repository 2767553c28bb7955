"""What the nodes of a job returned: files, texts and values, whatever their key, subfolder or type."""

import asyncio
import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..comfyui.tracker import SentImage
from ..outputs import VALUE_LIMIT, find_inside, guess_media_type
from ..places import Places
from .model import OutputType

MAX_OUTPUTS = 10_000
"""Outputs of one job; what a pack returns beyond that is told, and not kept."""

_TICK = 50_000_000
"""Nanoseconds between two times that a file system tells apart, at most: kernels have 1 to 10 ms."""

_FEW_FOLDERS = 100

MAX_DEPTH = 64
"""Folders in one another in which files are found that no node spoke of. One that a node names may lie deeper."""

_TYPES: Mapping[str, OutputType] = {"image": "image", "video": "video", "audio": "audio", "text": "text"}


@dataclass(frozen=True)
class Found:
    """One output: a file of ComfyUI's at `path`, or `data`. `value`: a small thing that is no file."""

    node: str
    kind: str
    name: str
    subfolder: str = ""
    folder: str = "output"
    path: Path | None = None
    data: bytes | None = None
    value: Any = None

    @property
    def content_type(self) -> str:
        return guess_media_type(self.name)

    @property
    def type(self) -> OutputType:
        if self.name.endswith(".latent"):
            return "latent"
        return _TYPES.get(self.content_type.partition("/")[0], "file")


@dataclass(frozen=True)
class Lost:
    """An output that cannot be kept, and why."""

    node: str
    message: str


def find_outputs(places: Places, returned: Mapping[str, Any]) -> Iterator[Found | Lost]:
    """What each node returned, in their order."""
    for node, values in returned.items():
        if not isinstance(values, Mapping):
            continue
        for kind, items in values.items():
            for index, item in enumerate(items if isinstance(items, list) else [items]):
                try:
                    found = _read(places, str(node), str(kind), index, item)
                except (ValueError, RecursionError, OSError) as e:
                    found = Lost(str(node), f"what the node returned as {kind} cannot be kept: {e}")
                if found is not None:
                    yield found


def find_sent(images: list[SentImage]) -> Iterator[Found]:
    """The images that nodes sent in place of files, numbered for each node."""
    counts: Counter[str] = Counter()
    for image in images:
        counts[image.node] += 1
        name = f"image_{counts[image.node]:05}{image.suffix}"
        yield Found(image.node, "images", name, folder="result", data=image.data)


def _read(places: Places, node: str, kind: str, index: int, item: Any) -> Found | Lost | None:
    if isinstance(item, Mapping) and isinstance(item.get("filename"), str):
        return _named(places, node, kind, item)
    if item in (None, ""):
        return None
    # "animated": [true] beside its images is no output of its own.
    if kind == "animated" and isinstance(item, bool):
        return None
    if isinstance(item, str):
        data, name = item.encode("utf-8", "surrogatepass"), f"{_plain(kind)}_{index + 1:05}.txt"
    else:
        data, name = json.dumps(item, default=str).encode(), f"{_plain(kind)}_{index + 1:05}.json"
    return Found(node, kind, name, folder="result", data=data, value=item if len(data) <= VALUE_LIMIT else None)


def _named(places: Places, node: str, kind: str, item: Mapping[str, Any]) -> Found | Lost:
    """A file that a node named. ComfyUI's own rule: the type is one of three folders, the rest lies below it."""
    bases = {"output": places.output, "input": places.input, "temp": places.temp / "temp"}
    folder = str(item.get("type") or "output")
    subfolder, name = str(item.get("subfolder") or ""), str(item["filename"])
    path = find_inside(bases.get(folder, places.output), subfolder, name)
    if path is None:
        return Lost(node, f"the node names a file that is not there: {folder}/{subfolder}/{name}")
    return Found(node, kind, path.name, subfolder, folder, path=path)


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in text)[:80] or "value"


@dataclass(frozen=True)
class _Listed:
    """A folder as it was: its time of change, its files, and its folders."""

    changed: int
    files: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()


@dataclass
class OutputFolder:
    """ComfyUI's output folder: finds files that no node spoke of, without a look at all that lies there.

    A folder's time changes when a file is made in it, so only folders that changed are listed again. One that may not
    be listed, or that is more than `MAX_DEPTH` deep, is as if it were empty: callers name folders by texts such as
    `filename_prefix`, and one of them must not keep the next jobs from being done.
    """

    path: Path
    _seen: dict[Path, _Listed] = field(default_factory=dict)
    _made: set[Path] = field(default_factory=set)
    """Folders that were made between the last two looks."""

    async def look(self) -> list[Path]:
        """`new_files`, in a thread unless a glance tells that there are none."""
        if self._may_have_changed():
            return await asyncio.to_thread(self.new_files)
        self._made = set()
        return []

    async def tidy(self) -> None:
        """Remove what was empty at the last look of folders that were new then: where a node made folders and then
        failed, they would be on the disk for ever."""
        made, self._made = self._made, set()
        for top in [folder for folder in made if folder.parent not in made]:
            await asyncio.to_thread(_remove_empty, top)

    def new_files(self) -> list[Path]:
        """The regular files that were made since the last call, sorted; the first call returns all."""
        before, self._seen, found = self._seen, {}, list[Path]()
        self._made = made = set[Path]()
        left = [(self.path.resolve(), 0)]
        while left:
            folder, depth = left.pop()
            known = before.get(folder)
            try:
                listed = _list_folder(folder, known)
            except OSError:  # it went meanwhile, or is closed to us
                continue
            self._seen[folder] = listed
            if known is None and before:
                made.add(folder)
            if known is not listed:
                found += [folder / name for name in listed.files - (known.files if known else frozenset())]
            if depth < MAX_DEPTH:
                left += [(folder / name, depth + 1) for name in listed.folders]
        return sorted(found)

    def _may_have_changed(self) -> bool:
        if not 0 < len(self._seen) <= _FEW_FOLDERS:
            return True
        try:
            return any(folder.stat().st_mtime_ns != listed.changed for folder, listed in self._seen.items())
        except OSError:
            return True


def _list_folder(folder: Path, before: _Listed | None) -> _Listed:
    """What is in the folder; `before` itself where that is as it was. Raises `OSError`."""
    changed = folder.stat().st_mtime_ns
    if before is not None and before.changed == changed:
        return before
    # What is made right after the listing may not change the folder's time once more.
    is_settled = time.time_ns() - changed > _TICK
    files, folders = set(), []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                files.add(entry.name)
    return _Listed(changed if is_settled else 0, frozenset(files), tuple(folders))


def _remove_empty(top: Path) -> None:
    """Remove the folder and all below it, at any depth, that have no file."""
    left, folders = [top], []
    while left:
        folders.append(folder := left.pop())
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            left += [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    for folder in reversed(folders):
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()
