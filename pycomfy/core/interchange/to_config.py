"""Write an environment as pycomfy.toml, with notes on all that is left out."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pycomfy.core.catalog.repository_url import parse_repository_url
from pycomfy.core.interchange.model import (
    ComfyUIRevision,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    OtherPack,
    PackEntry,
    RegistryPack,
    is_manager,
)
from pycomfy.core.interchange.package_config import to_package_config
from pycomfy.core.interface.select import unique_names
from pycomfy.core.lockfile.config import COMFYUI_URL, SUITES, ModelSpec
from pycomfy.core.lockfile.git_url import without_password
from pycomfy.core.lockfile.names import plain_name, repository_name, unique_name
from pycomfy.core.lockfile.toml import render_key, render_list, render_value
from pycomfy.core.models.model_url import strip_secrets
from pycomfy.core.sources.comfy_registry import RegistrySpec
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.url import UrlSpec

_UNVERSIONED = ("", "nightly", "latest", "unknown")


@dataclass(frozen=True)
class RenderedConfig:
    """The file's text, and notes for the user."""

    text: str
    notes: tuple[str, ...]


def render_config(environment: EnvironmentSpec, source: str) -> RenderedConfig:
    """Return the file. `source` says what the environment was read from: "a ComfyUI-Manager snapshot, snap.json"."""
    notes = list(environment.notes)
    python = _python(environment.python, notes)
    packs = _Packs(notes)
    sections = [
        f"# Written by pycomfy, from {_line(source)}.",
        *_top(environment, python, notes),
        *_comfyui(environment.comfyui, notes),
        *(line for pack in environment.packs for line in packs.section(pack)),
        *_inputs(environment, notes),
        *(line for model in environment.models for line in _model(model, notes)),
    ]
    notes += packs.list_disabled()
    return RenderedConfig("\n".join(sections) + "\n", tuple(dict.fromkeys(notes)))


# — the top —


def _top(environment: EnvironmentSpec, python: str | None, notes: list[str]) -> Iterator[str]:
    if environment.name and (name := _line(environment.name)[:200].strip()):
        yield f"name = {render_value(name)}"
    if environment.made_at is not None:
        yield "\n# When it was so. Newer Python packages are not used."
        yield f"as-of = {environment.made_at:%Y-%m-%dT%H:%M:%SZ}"
    if python is not None:
        yield f'python = "{python}"'
    if environment.platforms:
        yield render_list("platforms", environment.platforms)
    packages = to_package_config(environment.packages)
    notes += packages.notes
    if packages.accelerator is not None:
        yield "\n# What PyTorch was built for."
        yield f"accelerator = {render_value(packages.accelerator)}"
    if packages.overrides:
        yield "\n# The Python packages that were installed. Each sets the version of a package that ComfyUI or a node"
        yield "# pack requires. One that nothing requires is not installed; to install it, add it to `requirements`."
        yield from _list("overrides", packages.overrides)
    if packages.requirements:
        yield "\n# Installed from a URL, not from an index."
        yield from _list("requirements", packages.requirements)
    if packages.skipped:
        yield "\n# Left out:"
        yield from (f"# {_line(pin)}" for pin in packages.skipped)


def _list(key: str, items: Iterable[str]) -> Iterator[str]:
    yield f"{key} = ["
    yield from (f"    {render_value(item)}," for item in items)
    yield "]"


def _python(text: str | None, notes: list[str]) -> str | None:
    """The Python of an image: the same, else the next older one, for which more packages of that time have wheels."""
    found = re.match(r"\s*(\d+)\.(\d+)", text or "")
    if text and found is None:
        notes.append(f"{text} is not a version of Python")
    if found is None:
        return None
    required = (int(found[1]), int(found[2]))
    known = [(int(p.split(".")[0]), int(p.split(".")[1])) for p in SUITES]
    chosen = max((p for p in known if p <= required), default=min(known))
    if chosen != required:
        notes.append(
            f"it had Python {required[0]}.{required[1]}, images have {' or '.join(SUITES)}: {chosen[0]}.{chosen[1]} is"
            " used, and locking refuses a version of a package that has no wheel for it"
        )
    return f"{chosen[0]}.{chosen[1]}"


# — ComfyUI and node packs —


def _comfyui(comfyui: ComfyUIRevision | None, notes: list[str]) -> Iterator[str]:
    if comfyui is None or comfyui.revision is None:
        notes.append("no revision of ComfyUI is given: pycomfy's default is used, unless [comfyui] names another")
        return
    spec = _valid(GitSpec, {"git": comfyui.url or COMFYUI_URL, "rev": comfyui.revision})
    if spec is None:
        notes.append(f"{comfyui.revision} is not a revision of ComfyUI")
        return
    yield f"\n[comfyui]\ngit = {render_value(spec.git)}\nrev = {render_value(comfyui.revision)}"


@dataclass
class _Packs:
    """Write the sections of node packs. A name is a folder, so each is used once; so is each repository."""

    notes: list[str]
    _names: set[str] = field(default_factory=lambda: {"comfyui"})
    _commits: dict[str, str] = field(default_factory=dict)
    _disabled: list[str] = field(default_factory=list)

    def section(self, pack: PackEntry) -> Iterator[str]:
        match pack:
            case GitPack():
                yield from self._git(pack)
            case RegistryPack():
                yield from self._registered(pack)
            case FilePack():
                yield from self._file(pack)
            case OtherPack():
                self._left_out(pack.name, pack.what)

    def list_disabled(self) -> Iterator[str]:
        if self._disabled:
            yield f"disabled node packs, left out: {', '.join(self._disabled)}"

    def _left_out(self, name: str, why: str) -> None:
        self.notes.append(f"the node pack {name} is left out: {why}")

    def _manager_left_out(self) -> None:
        self.notes.append("ComfyUI-Manager is left out: an image has nothing to install or update")

    def _git(self, pack: GitPack) -> Iterator[str]:
        found = parse_repository_url(pack.url)
        label = pack.name or strip_secrets(pack.url)
        if found is None or not found.url.startswith("https://") or found.file is not None:
            self._left_out(
                label,
                "an untrusted file may only name https:// addresses of repositories; if you trust it, add it yourself:"
                " [packs.NAME] git = …",
            )
            return
        if without_password(pack.url) != pack.url:
            self.notes.append(f"the login in the address of {found.url} is left out: git's own credentials are used")
        name = self._name(pack.name or found.url)
        values = {"git": found.url, **({"rev": pack.commit} if pack.commit else {})}
        if _valid(GitSpec, values) is None:
            self._left_out(label, f"{pack.commit or ''} is not a commit")
        elif is_manager(found.url):
            self._manager_left_out()
            yield from self._commented(name, values, "An image has nothing for it to manage.")
        elif not pack.enabled:
            self._disabled.append(name)
            yield from self._commented(name, values, "Disabled.")
        elif found.identity in self._commits:
            if self._commits[found.identity] != pack.commit:
                self.notes.append(f"{found.url} is listed twice, at different commits: the first is used")
            yield from self._commented(name, values, "The same repository again.")
        else:
            self._commits[found.identity] = pack.commit or ""
            if pack.commit is None:
                self.notes.append(f"no commit of {name} is given: locking pins the newest of its default branch")
            yield from self._section(name, values)

    def _registered(self, pack: RegistryPack) -> Iterator[str]:
        name = self._name(pack.name or pack.id)
        values = {"registry": pack.id, "version": pack.version}
        if pack.version in _UNVERSIONED or _valid(RegistrySpec, values) is None:
            version = pack.version
            why = f'"{version}" is not a version; if the workflow needs the node pack, locking asks for it'
            self._left_out(pack.id, why)
        elif is_manager(pack.id):
            self._manager_left_out()
        elif not pack.enabled:
            self._disabled.append(name)
            yield from self._commented(name, values, "Disabled.")
        else:
            yield from self._section(name, values)

    def _file(self, pack: FilePack) -> Iterator[str]:
        name = self._name(pack.filename.removesuffix(".py"))
        if not pack.enabled:
            self._disabled.append(pack.filename)
            return
        values = {"url": strip_secrets(pack.url) if pack.url is not None else None, "sha256": pack.sha256}
        if _valid(UrlSpec, values) is not None:
            yield from self._section(name, {key: str(value) for key, value in values.items()})
        elif pack.url is not None:
            url = strip_secrets(pack.url)
            why = f"its hash is not given; if you trust {url}, add it yourself: [packs.NAME] url = …, sha256 = …"
            self._left_out(pack.filename, why)
        else:
            why = "it is a single file of unknown source; put it into a folder of its own: [packs.NAME] path = …"
            self._left_out(pack.filename, why)

    def _name(self, text: str) -> str:
        name = unique_name(plain_name(repository_name(text)) or "pack", self._names)
        self._names.add(name)
        return name

    @staticmethod
    def _section(name: str, values: Mapping[str, str]) -> Iterator[str]:
        yield f"\n[packs.{render_key(name)}]"
        yield from (f"{key} = {render_value(value)}" for key, value in values.items())

    def _commented(self, name: str, values: Mapping[str, str], why: str) -> Iterator[str]:
        yield f"\n# {why}"
        yield from (f"# {line.strip()}" for line in self._section(name, values))


# — inputs and models —


def _inputs(environment: EnvironmentSpec, notes: list[str]) -> Iterator[str]:
    inputs = [i for i in environment.inputs if i.node and i.input and (f"{i.node}.{i.input}").isprintable()]
    names = unique_names((i.name, i.title) for i in inputs)
    if len(inputs) < len(environment.inputs):
        notes.append("inputs without a name, or with control characters in it, are left out")
    if inputs:
        yield "\n[inputs]"
        yield from (f"{name} = {render_value(f'{i.node}.{i.input}')}" for name, i in zip(names, inputs, strict=True))


def _model(model: ModelEntry, notes: list[str]) -> Iterator[str]:
    folder, _, name = model.path.replace("\\", "/").partition("/")
    url = strip_secrets(model.urls[0]) if model.urls else None
    sha256 = model.sha256.lower() if model.sha256 else None
    values = {"folder": folder, "name": name, "url": url, "sha256": sha256}
    if url is not None and _valid(ModelSpec, values) is None:
        notes.append(f"the URL of the model {model.path} is left out, as it is malformed: {url}")
        values["url"] = None
    elif url is not None and url != model.urls[0]:
        notes.append(f"the login in the URL of the model {model.path} is left out: use a token, or ~/.netrc")
    if _valid(ModelSpec, values) is None:
        notes.append(f"the model {model.path} is left out: its path or its hash is malformed")
        return
    yield "\n[[models]]"
    yield from (f"{key} = {render_value(value)}" for key, value in values.items() if value is not None)


M = TypeVar("M", bound=BaseModel)


def _valid(kind: type[M], values: Mapping[str, object]) -> M | None:
    try:
        return kind.model_validate(dict(values))
    except ValidationError:
        return None


def _line(text: str) -> str:
    """The text on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
