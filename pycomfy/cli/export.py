"""`pycomfy export`: a version as one file, for pycomfy or for another tool."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platform
from pycomfy.cli.progress import size
from pycomfy.core.interchange.model import TITLES, Format
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.services.archive.bundle import export_version
from pycomfy.services.interchange.export_foreign import export_foreign
from pycomfy.services.workspace import Workspace

BUNDLE = "bundle"


def export(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@V]", help="A version: by number, tag or commit. With --format also the path of a lock."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write, as portrait.tar.zst.")
    ],
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help=f"Another tool's: {', '.join(TITLES)}.")
    ] = BUNDLE,
    platform: Annotated[
        str | None,
        typer.Option(metavar=PLATFORM_METAVAR, help="With --format: whose Python packages to name."),
    ] = None,
    models: Annotated[bool, typer.Option("--models", help="Put the models in, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write a version with its sources to one file, or another tool's file.

    The one file builds the same image elsewhere without a network.

    With `--format` it is another tool's file, which has no sources, and says less: what it leaves out is told.

    Examples: `pycomfy export portrait@3 -o portrait.tar.zst`,
    `pycomfy export portrait@3 --format manager-snapshot -o snapshot.json`
    """
    if format_ != BUNDLE:
        _hand_over(reference, output, _chosen(format_, models), parse_platform(platform), as_json=as_json)
        return
    if platform is not None:
        raise typer.BadParameter("a bundle has all platforms that were built", param_hint="--platform")
    result = export_version(Workspace.open(), reference, output, models=models)
    if as_json:
        about = {
            "name": result.version.version.name,
            "version": result.version.version.number,
            "commit": result.version.version.commit,
            "file": str(result.file),
            "size": result.size,
            "sources": result.sources,
            "models": result.models,
        }
        print_json(about)
        return
    print(f"{result.version.label}, {result.sources} sources, {result.models} models")
    print(f"  bundle   {result.file}, {size(result.size)}")
    print(f"  import   pycomfy import {result.file}")


def _chosen(format_: str, models: bool) -> Format:
    if format_ not in TITLES:
        raise typer.BadParameter(f"{format_!r} is none of {', '.join((BUNDLE, *TITLES))}", param_hint="--format")
    if models:
        raise typer.BadParameter("only a bundle has models in it", param_hint="--models")
    return cast(Format, format_)


def _hand_over(reference: str, to: Path, format_: Format, platform: PlatformName | None, *, as_json: bool) -> None:
    result = export_foreign(Workspace.open(), reference, to, format_, platform)
    if as_json:
        print_json({**asdict(result), "file": str(result.file), "format": format_})
        return
    print(f"{result.label} as {TITLES[format_]}")
    print(f"  file     {result.file}, {size(result.size)}")
    for lost in result.lost:
        print(f"  left out: {lost}")
    for note in result.notes:
        print(f"  note: {note}")
