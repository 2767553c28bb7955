"""`pycomfy capture`: pins from an installation that works."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import size
from pycomfy.core.capture.model import CapturedCode
from pycomfy.core.capture.render import infer_as_of, list_lost, list_notes
from pycomfy.core.workflow.untrusted_json import shown
from pycomfy.services.interchange.capture import CaptureRequest, CaptureResult
from pycomfy.services.interchange.capture import capture as capture_installation
from pycomfy.services.workspace import Workspace


def capture(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that has ComfyUI's main.py in it.")],
    workflow: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A workflow: its models are captured, and it is copied.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="The new folder to write to.")
    ] = Path("captured"),
    base: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where custom_nodes and models are, if elsewhere.")
    ] = None,
    python: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Its Python environment, if not in or beside it.")
    ] = None,
    all_models: Annotated[bool, typer.Option("--all-models", help="Hash and pin every model that is there.")] = False,
    add_models: Annotated[
        bool, typer.Option("--add-models", help="Add the models that are pinned to pycomfy's store, as links.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Write down what a ComfyUI installation is made of, for `lock`.

    `pycomfy lock` then makes the same of it.

    ComfyUI and the node packs by commit, with local changes as patches; the exact Python packages; the models that the
    workflow uses. Nothing of the installation is started or changed.

    Example: `pycomfy capture ~/ComfyUI --workflow portrait.json -o portrait`
    """
    request = CaptureRequest(folder, output, workflow, base, python, all_models, add_models)
    result = capture_installation(Workspace.open(), request)
    if as_json:
        print_json(_as_dict(result))
    else:
        _show(result)


def _show(result: CaptureResult) -> None:
    found = result.found
    print(f"wrote {result.folder}")
    for code in found.code:
        print(f"  {code.name} {shown(_place(code))}")
    if found.python is not None:
        plan = found.python.plan
        extra = f", {plan.accelerator}" if plan.accelerator else ""
        print(f"  {len(plan.pins)} Python packages of Python {found.python.version or '?'}{extra}")
    if found.models:
        models = "1 model" if len(found.models) == 1 else f"{len(found.models)} models"
        print(f"  {models} ({size(sum(m.size for m in found.models))})")
    for name in found.disabled:
        print(f"  disabled, not captured: {shown(name)}")
    for lost in list_lost(found):
        print(f"  cannot be had: {shown(lost)}")
    for note in list_notes(found):
        print(f"  note: {shown(note)}")
    if result.workflow:
        print(f"next: pycomfy lock {result.folder}")
    else:
        print(f"next: put a workflow into {result.folder} as workflow.json, then: pycomfy lock {result.folder}")


def _place(code: CapturedCode) -> str:
    if code.folder is not None:
        return f"as a folder: {code.folder}"
    if code.commit is None:
        return f"from {next(iter(code.keys.values()))}"
    changed = f", {_count(code.changed)} changed: {code.patch_path}" if code.patch is not None else ""
    return f"from {code.url} at {code.commit[:10]}{changed}"


def _count(files: Sequence[str]) -> str:
    return "1 file" if len(files) == 1 else f"{len(files)} files"


def _as_dict(result: CaptureResult) -> dict[str, object]:
    found, python, moment = result.found, result.found.python, infer_as_of(result.found)
    return {
        "folder": str(result.folder),
        "as_of": None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "comfyui": _code(found.comfyui),
        "packs": [_code(pack) for pack in found.packs],
        "disabled": list(found.disabled),
        "python": None
        if python is None
        else {
            "place": python.place,
            "version": python.version,
            "taken": python.taken,
            "packages": list(python.plan.pins),
            "accelerator": python.plan.accelerator,
            "platforms": list(python.plan.platforms),
        },
        "models": [
            {"folder": m.folder, "name": m.name, "path": m.path, "sha256": m.sha256, "size": m.size, "url": m.url}
            for m in found.models
        ],
        "lost": list_lost(found),
        "notes": list_notes(found),
    }


def _code(code: CapturedCode) -> dict[str, object]:
    return {
        "name": code.name,
        "place": code.place,
        "version": code.version,
        "registry": code.registry,
        "url": code.url,
        "commit": code.commit,
        "branch": code.branch,
        "ahead": code.ahead,
        "patch": code.patch_path,
        "folder": code.folder,
        "changed": list(code.changed),
    }
