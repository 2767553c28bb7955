"""`pycomfy import`: a bundle's version, or another tool's file as a folder to lock."""

from pathlib import Path
from typing import Annotated, cast

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.core.interchange.model import TITLES, Format
from pycomfy.services.archive.bundle import import_bundle
from pycomfy.services.interchange.import_foreign import (
    CONFIG,
    WORKFLOW,
    ImportedFolder,
    ImportRequest,
    import_foreign,
    is_bundle,
)
from pycomfy.services.workspace import Workspace

BUNDLE = "bundle"


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
            "--format", metavar="FORMAT", help=f"What it is, if that is not told: {', '.join((BUNDLE, *TITLES))}."
        ),
    ] = None,
    workflow: Annotated[
        Path | None, typer.Option("--workflow", metavar="FILE", help="The workflow, if the file has none.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the workflow.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Import a version from a bundle, or a project from a tool's file.

    A bundle's version goes into the library and its sources into the archive, once every byte was checked.

    Of another tool's file it makes a folder with a pycomfy.toml, and the workflow if there is one, for `pycomfy lock`.
    What cannot be carried over is told. Nothing is fetched.

    Examples: `pycomfy import portrait.tar.zst`, `pycomfy import portrait.cpack.zip`,
    `pycomfy import snapshot.json --workflow portrait.json --to portrait`
    """
    if format_ is not None and format_ not in (BUNDLE, *TITLES):
        raise typer.BadParameter(f"{format_!r} is none of {', '.join((BUNDLE, *TITLES))}", param_hint="--format")
    if format_ == BUNDLE or (format_ is None and is_bundle(file)):
        for option, value in (("--to", to), ("--workflow", workflow), ("--name", name)):
            if value is not None:
                raise typer.BadParameter("a bundle has its own", param_hint=option)
        _import_bundle(file, as_json=as_json)
        return
    _show(import_foreign(ImportRequest(file, to, cast(Format | None, format_), workflow, name)), as_json=as_json)


def _import_bundle(file: Path, *, as_json: bool) -> None:
    result = import_bundle(Workspace.open(), file)
    version = result.version
    if as_json:
        about = {
            "name": version.name,
            "version": version.number,
            "commit": version.commit,
            "new": result.new,
            "sources": result.sources,
            "models": result.models,
        }
        print_json(about)
        return
    print(f"{version.label}, {'a new version' if result.new else 'which was here already'}")
    print(f"  sources  {result.sources}, models {result.models}")
    print(f"  restore  pycomfy restore {version.label} --offline")


def _show(result: ImportedFolder, *, as_json: bool) -> None:
    if as_json:
        about = {
            "folder": str(result.folder),
            "format": result.format_,
            "workflow": result.workflow,
            **result.counts,
            "files": list(result.files),
            "notes": list(result.notes),
        }
        print_json(about)
        return
    print(f"{TITLES[result.format_]}")
    counts = ", ".join(f"{count} {what[:-1] if count == 1 else what}" for what, count in result.counts.items() if count)
    print(f"  wrote    {result.folder / CONFIG}{f': {counts}' if counts else ''}")
    if result.workflow:
        print(f"  workflow {result.folder / WORKFLOW}")
    if result.files:
        print(f"  files    {len(result.files)} in {result.folder / 'input'}, for `pycomfy run -i NAME=FILE`")
    for note in result.notes:
        print(f"  note: {note}")
    if result.workflow:
        print(f"  next     read {CONFIG}, then: pycomfy lock {result.folder}")
    else:
        print(f"  next     put the workflow into {result.folder / WORKFLOW}, then: pycomfy lock {result.folder}")
