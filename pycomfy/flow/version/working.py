"""A version as a folder to go on working in: the workflow, its lock, and a pycomfy.toml that makes that lock again."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pycomfy.errors import PycomfyError
from pycomfy.flow.lock.address import parse_address
from pycomfy.flow.lock.config import Config, SourceSpec, parse_config
from pycomfy.flow.lock.model import GitSource, Lock, PathSource, Source, UrlSource, render_lock
from pycomfy.flow.version.snapshot import LOCK, WORKFLOW, Snapshot

CONFIG = "pycomfy.toml"

_KEPT = ("apt", "requirements", "overrides", "accelerator", "find-links")
"""What the lock shows only in its consequences."""


def working_files(name: str, snapshot: Snapshot, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files to work with, of the version whose project is `files`, under the workflow's name `name`."""
    lock = snapshot.lock.model_copy(update={"name": name})
    given = _given(files.get(CONFIG))
    sources = {"ComfyUI": lock.comfyui.source, **{p.name: p.source for p in lock.packs}}
    patches = {n: s.patch.encode() for n, s in sources.items() if isinstance(s, GitSource) and s.patch is not None}
    return {
        WORKFLOW: files[WORKFLOW],
        LOCK: render_lock(lock).encode(),
        CONFIG: _render(lock, given).encode(),
        **{_patch_path(name): patch for name, patch in patches.items()},
    }


def _patch_path(name: str) -> str:
    return f"patches/{name}.patch"


def local_sources(lock: Lock) -> dict[str, str]:
    """The path of each source that is a folder of somebody's machine, by name."""
    sources = {"ComfyUI": lock.comfyui.source, **{p.name: p.source for p in lock.packs}}
    paths = {}
    for name, source in sources.items():
        if isinstance(source, PathSource):
            paths[name] = source.path
        elif isinstance(source, GitSource) and parse_address(source.url).local:
            paths[name] = source.url
    return paths


def _given(data: bytes | None) -> Config:
    """What the user once asked for; nothing, if that cannot be read any more."""
    if data is None:
        return Config()
    try:
        return parse_config(data.decode("utf-8-sig", errors="replace"))
    except PycomfyError:
        return Config()


def _render(lock: Lock, given: Config) -> str:
    """TOML. Its strings are JSON's, whose escapes are a part of TOML's."""
    top: dict[str, Any] = {
        "name": lock.name,
        "as-of": lock.as_of,
        "python": lock.python,
        "platforms": sorted(lock.platforms),
        **{key: _plain(value) for key in _KEPT if (value := getattr(given, key.replace("-", "_")))},
    }
    lines = [*_pairs(top), "", "[comfyui]", *_pairs(source_keys("ComfyUI", lock.comfyui.source, given.comfyui))]
    for index in given.index:
        about = {"name": index.name, "url": index.url, **({"packages": index.packages} if index.packages else {})}
        lines += ["", "[[index]]", *_pairs(about), *([] if index.dated else ["dated = false"])]
    if given.families:
        lines += ["", "[families]", *_pairs({_text(k): v for k, v in given.families.items()})]
    for pack in lock.packs:
        source = source_keys(pack.name, pack.source, given.packs.get(pack.name))
        lines += ["", f"[packs.{_text(pack.name)}]", *_pairs(source)]
        for step in pack.steps:
            lines += ["", f"[[packs.{_text(pack.name)}.steps]]", *_pairs({"run": step.run})]
    if given.inputs:
        lines += ["", "[inputs]", *_pairs(given.inputs)]
    for model in given.models:
        lines += ["", "[[models]]", *_pairs(model.model_dump(mode="json", by_alias=True, exclude_none=True))]
    debian = given.debian.model_dump(mode="json", by_alias=True, exclude_none=True)
    if debian:
        lines += ["", "[debian]", *_pairs(debian)]
    return "\n".join(lines) + "\n"


def source_keys(name: str, source: Source, given: SourceSpec | None = None) -> dict[str, Any]:
    """What pycomfy.toml says for the source as it is pinned, with what the user said of it besides."""
    if isinstance(source, GitSource):
        where: dict[str, Any] = {"git": source.url, "rev": source.commit}
        if source.patch is not None:
            where["patch"] = _patch_path(name)
    elif isinstance(source, PathSource):
        where = {"path": source.path}
    elif isinstance(source, UrlSource):
        where = {"url": source.url, "sha256": source.sha256}
    else:
        pin = "==".join(source.name.split("-")[:2])
        where = {"wheel": pin, "folder": source.folder, "exclude": list(source.exclude)}
    if given is not None and given.requirements is not None:
        where["requirements"] = list(given.requirements)
    if given is not None and given.types:
        where["types"] = list(given.types)
    return where


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _pairs(values: Mapping[str, Any]) -> Iterable[str]:
    return [f"{key} = {_value(value)}" for key, value in values.items()]


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(str(item)) for item in value) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
