"""`pycomfy import`: a bundle's version, or another tool's file as a folder to lock."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.fixes import render
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line
from pycomfy.core.interchange.registry import BUNDLE, FORMATS, load_format
from pycomfy.errors import suggest

if TYPE_CHECKING:
    from pycomfy.services.archive.bundle_import import BundleImport
    from pycomfy.services.interchange.import_foreign import ForeignImport


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A bundle, as `pycomfy export` writes it, or another tool's file.")
    ],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="The folder to make of another tool's file.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"What the file is, if it is not recognised: {', '.join((BUNDLE, *FORMATS))}.",
        ),
    ] = None,
    workflow: Annotated[
        Path | None, typer.Option("--workflow", metavar="FILE", help="The workflow, if the file has none.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the workflow.")] = None,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Import a version from a bundle, or a project from a tool's file.

    A bundle's version goes into the versions repository and its sources into the archive, once every byte was checked.

    From another tool's file it makes a folder with a pycomfy.toml, and the workflow if there is one, for
    `pycomfy lock`. What is left out is listed. Nothing is fetched.

    Examples: `pycomfy import portrait.tar.zst`, `pycomfy import portrait.cpack.zip`,
    `pycomfy import snapshot.json --workflow portrait.json --to portrait`
    """
    from pycomfy.services.interchange.import_file import ImportRequest, import_file
    from pycomfy.services.interchange.import_foreign import ForeignImport
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = import_file(workspace, ImportRequest(file, format_, to, workflow, name))
    if as_json:
        print_json(result)
    elif isinstance(result, ForeignImport):
        _show_folder(result)
    else:
        _show_version(result)


def _show_version(result: "BundleImport") -> None:
    print_line(f"{result.label}, {'a new version' if result.new else 'which was here already'}")
    print_line(f"  sources  {result.sources}, models {result.models}")
    print_line(f"  restore  {render(suggest('restore', reference=result.label, offline=True))}")


def _show_folder(result: "ForeignImport") -> None:
    config, workflow = result.folder / "pycomfy.toml", result.folder / "workflow.json"
    lock = render(suggest("lock", workflow=str(result.folder)))
    parts = (("pack", result.packs), ("package", result.packages), ("model", result.models), ("input", result.inputs))
    counts = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in parts if count)
    print_line(load_format(result.format).title)
    print_line(f"  wrote    {config}{f': {counts}' if counts else ''}")
    if result.workflow:
        print_line(f"  workflow {workflow}")
    if result.files:
        print_line(f"  files    {len(result.files)} in {result.folder / 'input'}, for `pycomfy run -i NAME=FILE`")
    for note in result.notes:
        print_line(f"  note: {note}")
    if result.workflow:
        print_line(f"  next     read {config.name}, then: {lock}")
    else:
        print_line(f"  next     put the workflow into {workflow}, then: {lock}")
