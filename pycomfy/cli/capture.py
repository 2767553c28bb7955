"""`pycomfy capture`: pins from an installation that works."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.fixes import render, render_note
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count, size
from pycomfy.cli.terminal import print_line
from pycomfy.errors import suggest

if TYPE_CHECKING:
    from pycomfy.services.interchange.capture_result import CapturedSource, CaptureResult


def capture(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that has ComfyUI's main.py in it.")],
    workflow: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A workflow: its models are captured, and it is copied.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="The new folder to write to.")
    ] = Path("captured"),
    base: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder with custom_nodes and models, if it is another.")
    ] = None,
    python: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Its Python environment, if not in or beside it.")
    ] = None,
    all_models: Annotated[bool, typer.Option("--all-models", help="Hash and pin every model in it.")] = False,
    add_models: Annotated[
        bool, typer.Option("--add-models", help="Add the pinned models to pycomfy's model store, as links.")
    ] = False,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write down what a ComfyUI installation is made of, for `lock`.

    `pycomfy lock` then pins the same.

    ComfyUI and the node packs by commit, with local changes as patches; the exact Python packages; the models that the
    workflow uses. Nothing of the installation is started or changed.

    Example: `pycomfy capture ~/ComfyUI --workflow portrait.json -o portrait`
    """
    from pycomfy.services.interchange.capture import CaptureRequest
    from pycomfy.services.interchange.capture import capture as capture_installation
    from pycomfy.services.workspace import Workspace

    request = CaptureRequest(folder, output, workflow, base, python, all_models, add_models)
    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = capture_installation(workspace, request)
    if as_json:
        print_json(result)
    else:
        _show(result)


def _show(result: "CaptureResult") -> None:
    print_line(f"wrote {result.folder}")
    for source in (result.comfyui, *result.packs):
        print_line(f"  {source.name} {_describe(source)}")
    if (python := result.python) is not None:
        accelerator = f", {python.accelerator}" if python.accelerator else ""
        print_line(f"  {len(python.packages)} Python packages of Python {python.version or '?'}{accelerator}")
    if result.models:
        models = count(len(result.models), "model")
        print_line(f"  {models} ({size(sum(m.size for m in result.models))})")
    for name in result.disabled:
        print_line(f"  disabled, not captured: {name}")
    for lost in result.lost:
        print_line(f"  cannot be reproduced: {lost}")
    for note in result.notes:
        print_line(f"  note: {render_note(note)}")
    lock = render(suggest("lock", workflow=str(result.folder)))
    if result.workflow:
        print_line(f"next: {lock}")
    else:
        print_line(f"next: put a workflow into {result.folder} as workflow.json, then: {lock}")


def _describe(source: "CapturedSource") -> str:
    if source.folder is not None:
        return f"as a folder: {source.folder}"
    if source.commit is None:
        return f"from {next(iter(source.config.values()))}"
    files = count(len(source.changed), "file")
    changed = f", {files} changed: {source.patch}" if source.patch is not None else ""
    return f"from {source.url} at {source.commit[:10]}{changed}"
