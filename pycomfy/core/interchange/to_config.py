"""The `pycomfy.toml` that a recipe becomes, with remarks on all that it cannot carry over."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pycomfy.core.catalog.repository_url import parse_repository_url
from pycomfy.core.interchange.comfy_pack import is_manager
from pycomfy.core.interchange.model import (
    Core,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    OtherPack,
    PackEntry,
    RegistryPack,
)
from pycomfy.core.interchange.packages import to_package_config
from pycomfy.core.interface.select import unique_names
from pycomfy.core.lockfile.config import COMFYUI_URL, SUITES, ModelSpec
from pycomfy.core.lockfile.git_url import without_password
from pycomfy.core.lockfile.names import plain_name, repository_name, unique_name
from pycomfy.core.lockfile.toml import render_key, render_list, render_value
from pycomfy.core.models.model_url import strip_secrets
from pycomfy.core.sources.comfy_registry import RegistrySpec
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.url import UrlSpec
from pycomfy.core.workflow.untrusted_json import shown

_UNVERSIONED = ("", "nightly", "latest", "unknown")


@dataclass(frozen=True)
class RenderedConfig:
    """The file's text, and remarks for the user."""

    text: str
    notes: tuple[str, ...]


def render_config(recipe: EnvironmentSpec, source: str) -> RenderedConfig:
    """`source` says what the recipe was read from, such as "a snapshot of ComfyUI-Manager, snap.json"."""
    notes = list(recipe.remarks)
    python = _python(recipe.python, notes)
    packs = _Packs(notes)
    sections = [
        f"# Made by `pycomfy import` of {shown(source)}.",
        *_top(recipe, python, notes),
        *_comfyui(recipe.core, notes),
        *(line for pack in recipe.packs for line in packs.section(pack)),
        *_inputs(recipe, notes),
        *(line for model in recipe.models for line in _model(model, notes)),
    ]
    notes += packs.remarks()
    return RenderedConfig("\n".join(sections) + "\n", tuple(dict.fromkeys(notes)))


# — the top —


def _top(recipe: EnvironmentSpec, python: str | None, notes: list[str]) -> Iterator[str]:
    if recipe.name and (name := _line(recipe.name)[:200].strip()):
        yield f"name = {render_value(name)}"
    if recipe.made_at is not None:
        yield "\n# When that was so. Python packages are taken as they were then."
        yield f"as-of = {recipe.made_at:%Y-%m-%dT%H:%M:%SZ}"
    if python is not None:
        yield f'python = "{python}"'
    if recipe.platforms:
        yield render_list("platforms", recipe.platforms)
    asked = to_package_config(recipe.packages)
    notes += asked.notes
    if asked.accelerator is not None:
        yield "\n# What PyTorch was built for."
        yield f"accelerator = {render_value(asked.accelerator)}"
    if asked.overrides:
        yield "\n# The Python packages that were installed. Each holds where ComfyUI or a pack asks for that package;"
        yield "# what nobody asks for is not installed. What is missing nevertheless belongs into `requirements`."
        yield from _list("overrides", asked.overrides)
    if asked.requirements:
        yield "\n# Installed from a place of their own, not from an index."
        yield from _list("requirements", asked.requirements)
    if asked.left:
        yield "\n# Left out:"
        yield from (f"# {_line(pin)}" for pin in asked.left)


def _list(key: str, items: Iterable[str]) -> Iterator[str]:
    yield f"{key} = ["
    yield from (f"    {render_value(item)}," for item in items)
    yield "]"


def _python(text: str | None, notes: list[str]) -> str | None:
    """The Python of an image: the same, else the older one, for which more packages of that time have wheels."""
    found = re.match(r"\s*(\d+)\.(\d+)", text or "")
    if text and found is None:
        notes.append(f"the Python {shown(text)} is not understood")
    if found is None:
        return None
    asked = (int(found[1]), int(found[2]))
    known = [(int(p.split(".")[0]), int(p.split(".")[1])) for p in SUITES]
    chosen = max((p for p in known if p <= asked), default=min(known))
    if chosen != asked:
        notes.append(
            f"it was Python {asked[0]}.{asked[1]}, which no image has ({' and '.join(SUITES)} are there):"
            f" {chosen[0]}.{chosen[1]} is taken, and a pin that has no wheel for it is refused by `pycomfy lock`"
        )
    return f"{chosen[0]}.{chosen[1]}"


# — ComfyUI and node packs —


def _comfyui(core: Core | None, notes: list[str]) -> Iterator[str]:
    if core is None or core.revision is None:
        notes.append("it does not say which ComfyUI it was: that of pycomfy is taken, unless [comfyui] names another")
        return
    spec = _valid(GitSpec, {"git": core.url or COMFYUI_URL, "rev": core.revision})
    if spec is None:
        notes.append(f"ComfyUI's revision {shown(core.revision)} is none")
        return
    yield f"\n[comfyui]\ngit = {render_value(spec.git)}\nrev = {render_value(core.revision)}"


@dataclass
class _Packs:
    """The sections of node packs. A name is a folder, so none is there twice; neither is a repository."""

    notes: list[str]
    _names: set[str] = field(default_factory=lambda: {"comfyui"})
    _places: dict[str, str] = field(default_factory=dict)
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
                self.notes.append(f"the node pack {shown(pack.name)} is not carried over: {shown(pack.what)}")

    def remarks(self) -> Iterator[str]:
        if self._disabled:
            yield f"disabled there, and so left out: {', '.join(self._disabled)}"

    def _git(self, pack: GitPack) -> Iterator[str]:
        place = parse_repository_url(pack.url)
        label = shown(pack.name or strip_secrets(pack.url))
        if place is None or not place.url.startswith("https://") or place.file is not None:
            self.notes.append(
                f"the node pack {label} is not carried over: only https:// addresses of repositories are taken from a"
                " file of someone else's; name it yourself if you trust it: [packs.NAME] git = …"
            )
            return
        if without_password(pack.url) != pack.url:
            self.notes.append(f"a login in the address of {place.url} is left out; git's own credentials are used")
        name = self._name(pack.name or place.url)
        values = {"git": place.url, **({"rev": pack.commit} if pack.commit else {})}
        if _valid(GitSpec, values) is None:
            self.notes.append(f"the node pack {label} is not carried over: {shown(pack.commit or '')} is no commit")
        elif is_manager(place.url):
            self.notes.append("ComfyUI-Manager is left out: in an image there is nothing to install or update")
            yield from self._commented(name, values, "An image has nothing that it could manage.")
        elif not pack.enabled:
            self._disabled.append(name)
            yield from self._commented(name, values, "Disabled there.")
        elif place.identity in self._places:
            if self._places[place.identity] != pack.commit:
                self.notes.append(f"{place.url} is there twice, at different commits: the first is taken")
            yield from self._commented(name, values, "The same repository again.")
        else:
            self._places[place.identity] = pack.commit or ""
            if pack.commit is None:
                self.notes.append(f"no commit is said of {name}: `pycomfy lock` takes the newest of its default branch")
            yield from self._live(name, values)

    def _registered(self, pack: RegistryPack) -> Iterator[str]:
        name = self._name(pack.name or pack.id)
        values = {"registry": pack.id, "version": pack.version}
        if pack.version in _UNVERSIONED or _valid(RegistrySpec, values) is None:
            self.notes.append(
                f"the node pack {shown(pack.id)} is not carried over: {shown(pack.version) or 'nothing'} is no version;"
                " if the workflow needs it, `pycomfy lock` asks"
            )
        elif is_manager(f"/{pack.id}"):
            self.notes.append("ComfyUI-Manager is left out: in an image there is nothing to install or update")
        elif not pack.enabled:
            self._disabled.append(name)
            yield from self._commented(name, values, "Disabled there.")
        else:
            yield from self._live(name, values)

    def _file(self, pack: FilePack) -> Iterator[str]:
        name = self._name(pack.filename.removesuffix(".py"))
        if not pack.enabled:
            self._disabled.append(shown(pack.filename))
            return
        values = {"url": strip_secrets(pack.url) if pack.url is not None else None, "sha256": pack.sha256}
        if _valid(UrlSpec, values) is not None:
            yield from self._live(name, {key: str(value) for key, value in values.items()})
        elif pack.url is not None:
            self.notes.append(
                f"the node pack {shown(pack.filename)} is not carried over: its hash is not said; if you trust"
                f" {shown(strip_secrets(pack.url))}, name it: [packs.NAME] url = …, sha256 = …"
            )
        else:
            self.notes.append(
                f"the node pack {shown(pack.filename)} is not carried over: it is a file, and nobody says where it is"
                " from; put it into a folder of its own: [packs.NAME] path = …"
            )

    def _name(self, text: str) -> str:
        name = unique_name(plain_name(repository_name(text)) or "pack", self._names)
        self._names.add(name)
        return name

    @staticmethod
    def _live(name: str, values: Mapping[str, str]) -> Iterator[str]:
        yield f"\n[packs.{render_key(name)}]"
        yield from (f"{key} = {render_value(value)}" for key, value in values.items())

    def _commented(self, name: str, values: Mapping[str, str], why: str) -> Iterator[str]:
        yield f"\n# {why}"
        yield from (f"# {line.strip()}" for line in self._live(name, values))


# — inputs and models —


def _inputs(recipe: EnvironmentSpec, notes: list[str]) -> Iterator[str]:
    inputs = [i for i in recipe.inputs if i.node and i.input and (f"{i.node}.{i.input}").isprintable()]
    names = unique_names((i.name, i.title) for i in inputs)
    if len(inputs) < len(recipe.inputs):
        notes.append("inputs whose names have control characters are left out")
    if inputs:
        yield "\n[inputs]"
        yield from (f"{name} = {render_value(f'{i.node}.{i.input}')}" for name, i in zip(names, inputs, strict=True))


def _model(model: ModelEntry, notes: list[str]) -> Iterator[str]:
    folder, _, name = model.place.replace("\\", "/").partition("/")
    url = strip_secrets(model.urls[0]) if model.urls else None
    sha256 = model.sha256.lower() if model.sha256 else None
    values = {"folder": folder, "name": name, "url": url, "sha256": sha256}
    if url is not None and _valid(ModelSpec, values) is None:
        notes.append(f"the address of the model {shown(model.place)} is none: {shown(url)}")
        values["url"] = None
    elif url is not None and url != model.urls[0]:
        notes.append(f"a login in the address of the model {shown(model.place)} is left out: set it as `models` says")
    if _valid(ModelSpec, values) is None:
        notes.append(f"the model {shown(model.place)} is not carried over: models do not go there, or its hash is none")
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
    """On one line, nothing that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
