"""Make the Nix project of a lock: its files, as a mapping from path to bytes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import jinja2

from pycomfy.core.lockfile.package_indexes import strip_logins
from pycomfy.core.lockfile.schema import Lock, render_lock
from pycomfy.core.nix.store_path import FixedOutput

_TEMPLATES = ("flake.nix", "flake.lock", "default.nix")
_GITIGNORE = "gitignore"

README = "README.md"
"""The file in a project for who builds it."""

SOURCES = "sources/"
"""Where in a project the sources are that travel in it: a tree as `NAME.tar`, a wheel under its name. What they are is
in the lock."""


def carried_path(output: FixedOutput) -> str:
    """Return where in a project a source is that travels in it."""
    return f"{SOURCES}{output.name}{'.tar' if output.recursive else ''}"


@dataclass(frozen=True)
class Toolkit:
    """The files that every project contains, by path: the Nix code, the gateway's source, and the templates."""

    nix: Mapping[str, bytes]
    gateway: Mapping[str, bytes]
    templates: Mapping[str, bytes]


@dataclass(frozen=True)
class ProjectContent:
    """The content of one project. `prompt` and `interface` are None until the node definitions of its image are known;
    `config` is the user's pycomfy.toml, for those who continue from the version: nothing is built from it. `sources`
    are those that travel in the project, by path."""

    lock: Lock
    workflow: bytes
    prompt: Mapping[str, object] | None = None
    interface: Mapping[str, object] | None = None
    config: bytes | None = None
    sources: Mapping[str, bytes] = field(default_factory=dict)


def project_files(content: ProjectContent, toolkit: Toolkit) -> dict[str, bytes]:
    """Return every file of the project. Equal contents give equal bytes."""
    files = {name: toolkit.templates[name] for name in _TEMPLATES}
    files[".gitignore"] = toolkit.templates[_GITIGNORE]
    files[README] = _readme(content, toolkit.templates[f"{README}.j2"].decode()).encode()
    files["pycomfy.lock"] = render_lock(content.lock).encode()
    files["workflow.json"] = content.workflow
    for name, value in (("prompt.json", content.prompt), ("interface.json", content.interface)):
        if value is not None:
            files[name] = render_json(value)
    if content.config is not None:
        # Without the login that an index's address may contain: versions are kept, and given to others.
        text = content.config.decode("utf-8", errors="surrogateescape")
        files["pycomfy.toml"] = strip_logins(text).encode("utf-8", errors="surrogateescape")
    files |= content.sources
    files |= {f"nix/{path}": data for path, data in toolkit.nix.items()}
    files |= {f"gateway/{path}": data for path, data in toolkit.gateway.items()}
    return dict(sorted(files.items()))


def render_json(value: object) -> bytes:
    """Return JSON for people and for diffs. The order of keys stays: it is the workflow's."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _readme(content: ProjectContent, template: str) -> str:
    lock, there = content.lock, content.sources.keys()
    local = {
        name: origin
        for name, source in lock.sources.items()
        if (origin := source.manual_origin) is not None and f"{SOURCES}{name}.tar" not in there
    }
    locked = [wheel for platform in lock.platforms.values() for wheel in platform.every_wheel]
    wheels = {
        wheel.filename: f"the wheel {wheel.url}"
        for wheel in locked
        if wheel.is_local and f"{SOURCES}{wheel.filename}" not in there
    }
    # Markdown, not HTML: nothing to escape, and the types of the lock allow only plain names.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    return environment.from_string(template).render(lock=lock, local=local, wheels=wheels, carried=bool(there))
