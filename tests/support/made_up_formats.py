"""Two interchange formats that no tool has, each as a contributor would write it: a document, and a zip file."""

import json
from collections.abc import Mapping

from pycomfy.core.interchange.document import ForeignModel, Text, describe_unknown_keys, render_json, validate
from pycomfy.core.interchange.format import Document, ForeignFile, Format, RenderedFile, RenderTarget, ZipLayout
from pycomfy.core.interchange.model import ComfyUIRevision, EnvironmentSpec, GitPack
from pycomfy.core.interchange.pip_freeze import parse_freeze


class _List(ForeignModel):
    shopping: int
    base: Text
    bags: dict[Text, Text]
    pins: tuple[Text, ...] = ()


def _is_list(document: Document) -> bool:
    return "shopping" in document


def _parse(file: ForeignFile) -> EnvironmentSpec:
    found = validate(_List, file.document, file.where)
    packages, notes = parse_freeze(found.pins)
    return EnvironmentSpec(
        comfyui=ComfyUIRevision(found.base),
        packs=tuple(GitPack(url, commit) for url, commit in found.bags.items()),
        packages=packages,
        workflow=file.members.get("flow.json"),
        notes=(*describe_unknown_keys(found), *notes),
    )


def _list(environment: EnvironmentSpec) -> Mapping[str, object]:
    return {
        "shopping": 1,
        "base": environment.comfyui.revision if environment.comfyui is not None else "",
        "bags": {p.url: p.commit for p in environment.packs if isinstance(p, GitPack)},
        "pins": [p.pin for p in environment.packages],
    }


def _render_list(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    lost = [str(p) for p in environment.packs if not isinstance(p, GitPack)]
    return RenderedFile(render_json(_list(environment)), tuple(lost), (f"for {target.label} in {target.filename}",))


def _render_crate(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    listed = _list(environment)
    lines = [f"{key} = {json.dumps(value)}" for key, value in listed.items() if key != "bags"]
    lines += ["[bags]", *(f"{json.dumps(p.url)} = '{p.commit}'" for p in environment.packs if isinstance(p, GitPack))]
    members = {"list.toml": "\n".join(lines).encode()}
    if environment.workflow is not None:
        members["flow.json"] = environment.workflow
    return RenderedFile(members)


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
    zip_layout=ZipLayout("list.toml", ("flow.json",), inputs="goods/"),
)
