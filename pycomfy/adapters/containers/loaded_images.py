"""List the images of ours that an engine has loaded into its own storage, and those that containers use."""

import json
from dataclasses import dataclass
from typing import Any

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.io import process
from pycomfy.core.loose_json import as_list, as_mapping, as_number, as_text
from pycomfy.errors import RunFailed

REPOSITORY = "localhost/pycomfy/"
"""How the names of all images of ours begin."""


@dataclass(frozen=True)
class LoadedImage:
    """An image in the engine's own storage: its id, its names, and its size in bytes."""

    id: str
    names: tuple[str, ...]
    size: int


def list_loaded(engine: Engine) -> list[LoadedImage]:
    """Return the loaded images with a name of ours. Raises `RunFailed` if the engine does not answer."""
    ids = _ask(engine, "images", "--quiet", "--no-trunc", "--filter", f"reference={REPOSITORY}*").split()
    unique = list(dict.fromkeys(one.removeprefix("sha256:") for one in ids))
    if not unique:
        return []
    found = _json(_ask(engine, "image", "inspect", *unique))
    return [
        LoadedImage(
            as_text(one.get("Id")).removeprefix("sha256:"),
            tuple(name for name in map(as_text, as_list(one.get("RepoTags"))) if name.startswith(REPOSITORY)),
            int(as_number(one.get("Size")) or 0),
        )
        for one in map(as_mapping, found)
    ]


def list_used(engine: Engine) -> frozenset[str]:
    """Return the ids of the images of all containers, whether they run or have ended: 64 hexadecimal digits. Raises
    `RunFailed` if the engine does not answer."""
    if engine.kind == "podman":
        # It cannot inspect a container whose image is in another store.
        return frozenset(_ask(engine, "ps", "--all", "--no-trunc", "--format", "{{.ImageID}}").split())
    containers = _ask(engine, "ps", "--all", "--quiet", "--no-trunc").split()
    if not containers:
        return frozenset()
    # One that ended meanwhile is not among the answers, and makes the engine say so.
    done = process.run(engine.command("container", "inspect", *containers))
    found = map(as_mapping, _json(done.stdout.decode(errors="replace")))
    return frozenset(as_text(one.get("Image")).removeprefix("sha256:") for one in found)


def remove_loaded(engine: Engine, image: LoadedImage) -> bool:
    """Take our names from a loaded image, and so remove it unless it has others, or a container uses it; return whether
    it is gone."""
    process.run(engine.command("rmi", *(image.names or (image.id,))))
    return process.run(engine.command("image", "inspect", image.id)).returncode != 0


def _ask(engine: Engine, *arguments: str) -> str:
    done = process.run(engine.command(*arguments))
    if done.returncode != 0:
        what = f"{engine.kind} does not say which images it has"
        raise RunFailed(what, details=done.stderr.decode(errors="replace")[-1000:], fix=f"see `{engine.kind} info`")
    return done.stdout.decode(errors="replace")


def _json(text: str) -> list[Any]:
    try:
        value = json.loads(text or "[]")
    except ValueError:
        return []
    return value if isinstance(value, list) else []
