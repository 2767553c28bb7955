"""Two interchange formats that no tool has, each as a contributor would write it: a document, and a zip file."""

from collections.abc import Iterator

from pycomfy.core.interchange.document import ForeignModel, Text, describe_unknown_keys, render_json, validate
from pycomfy.core.interchange.format import Document, ForeignFile, Format, RenderedFile, RenderTarget, ZipLayout
from pycomfy.core.interchange.lost import describe_lost_pack, list_lost_of_comfyui
from pycomfy.core.interchange.model import ComfyUIRevision, EnvironmentSpec, GitPack
from pycomfy.core.interchange.pip_freeze import parse_freeze
from pycomfy.core.lockfile.toml import render_key, render_list, render_value

_FLOW = "flow.json"


class _Bag(ForeignModel):
    """A node pack. Only the fields that are read, and those that the tool is known to write besides, are listed."""

    commit: Text = ""
    weight: object = None


class _List(ForeignModel):
    shopping: int
    title: Text = ""
    base: Text = ""
    bags: dict[Text, _Bag]
    pins: tuple[Text, ...] = ()


# — reading —


def _is_list(document: Document) -> bool:
    return "shopping" in document


def _parse(file: ForeignFile) -> EnvironmentSpec:
    found = validate(_List, file.document, file.where)
    packages, notes = parse_freeze(found.pins)
    return EnvironmentSpec(
        name=found.title or None,
        comfyui=ComfyUIRevision(found.base) if found.base else None,
        packs=tuple(GitPack(url, bag.commit or None) for url, bag in found.bags.items()),
        packages=packages,
        workflow=file.members.get(_FLOW),
        notes=(*describe_unknown_keys(found), *notes),
    )


# — writing —


def _base(environment: EnvironmentSpec) -> str:
    return (environment.comfyui.revision if environment.comfyui is not None else None) or ""


def _bags(environment: EnvironmentSpec) -> list[GitPack]:
    """The node packs that a list can hold: those from git that are enabled."""
    return [p for p in environment.packs if isinstance(p, GitPack) and p.enabled]


def _lost(environment: EnvironmentSpec) -> Iterator[str]:
    """Yield noun phrases: what the user reads after "left out:"."""
    bags = _bags(environment)
    yield from list_lost_of_comfyui(environment.comfyui)
    yield from (describe_lost_pack(p) for p in environment.packs if p not in bags)


def _render_list(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    value = {
        "shopping": 1,
        "title": environment.name or target.label,
        "base": _base(environment),
        "bags": {p.url: {"commit": p.commit or ""} for p in _bags(environment)},
        "pins": [p.pin for p in environment.packages],
    }
    notes = () if target.filename.endswith(".json") else ("shops read a list by a name that ends in .json",)
    return RenderedFile(render_json(value), tuple(_lost(environment)), notes)


def _render_crate(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    members = {"list.toml": "\n".join(_crate_lines(environment, target)).encode()}
    if environment.workflow is not None:
        members[_FLOW] = environment.workflow
    return RenderedFile(members, tuple(_lost(environment)))


def _crate_lines(environment: EnvironmentSpec, target: RenderTarget) -> Iterator[str]:
    yield "shopping = 1"
    yield f"title = {render_value(environment.name or target.label)}"
    yield f"base = {render_value(_base(environment))}"
    yield render_list("pins", (p.pin for p in environment.packages))
    yield "[bags]"
    for pack in _bags(environment):
        yield f"{render_key(pack.url)} = {{ commit = {render_value(pack.commit or '')} }}"


LIST = Format(
    name="list",
    title="a shopping list",
    filename="list.json",
    parts=frozenset({"comfyui", "packs", "packages"}),
    detect=_is_list,
    parse=_parse,
    render=_render_list,
)

CRATE = Format(
    name="crate",
    title="a crate",
    filename="x.crate",
    parts=frozenset({"comfyui", "packs", "packages", "workflow"}),
    detect=_is_list,
    parse=_parse,
    render=_render_crate,
    zip_layout=ZipLayout("list.toml", (_FLOW,), inputs="goods/"),
)
