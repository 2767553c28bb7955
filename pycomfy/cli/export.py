"""`pycomfy export`: a version as one file, for pycomfy or for another tool."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.fixes import render
from pycomfy.cli.json_output import print_json
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platform
from pycomfy.cli.progress import count, size
from pycomfy.cli.terminal import print_line
from pycomfy.core.interchange.registry import BUNDLE, FORMATS, load_format
from pycomfy.errors import suggest

if TYPE_CHECKING:
    from pycomfy.services.archive.bundle_export import BundleExport
    from pycomfy.services.interchange.export_foreign import ForeignExport


def export(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@V]|PATH", help="A version; with --format also the lock in a folder, as in portrait/."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write, as portrait.tar.zst. One that is there is replaced.",
        ),
    ],
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help=f"Another tool's: {', '.join(FORMATS)}.")
    ] = BUNDLE,
    platform: Annotated[
        str | None,
        typer.Option(
            metavar=PLATFORM_METAVAR,
            help="The only platform whose image can be built from it; with --format, that of the packages.",
        ),
    ] = None,
    models: Annotated[bool, typer.Option("--models", help="Put the models in, too.")] = False,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write a version with its sources to one file, or another tool's file.

    The one file builds the same image elsewhere without a network.

    With `--format` it is another tool's file, which has no sources and says less: what it leaves out is listed. It can
    be made of a lock that was not built, too: `portrait/` is the lock in that folder.

    Examples: `pycomfy export portrait@3 -o portrait.tar.zst`,
    `pycomfy export portrait@3 --format manager-snapshot -o snapshot.json`
    """
    from pycomfy.services.interchange.export_file import ExportRequest, export_file
    from pycomfy.services.interchange.export_foreign import ForeignExport
    from pycomfy.services.workspace import Workspace

    request = ExportRequest(reference, output, format_, parse_platform(platform), models)
    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = export_file(workspace, request)
    if as_json:
        print_json(result)
    elif isinstance(result, ForeignExport):
        _show_foreign(result)
    else:
        _show_bundle(result)


def _show_bundle(result: "BundleExport") -> None:
    print_line(f"{result.label}, {count(result.sources, 'source')}, {count(result.models, 'model')}")
    print_line(f"  bundle   {result.file}, {size(result.size)}")
    print_line(f"  import   {render(suggest('import', file=str(result.file)))}")


def _show_foreign(result: "ForeignExport") -> None:
    print_line(f"{result.label} as {load_format(result.format).title}")
    print_line(f"  file     {result.file}, {size(result.size)}")
    for lost in result.lost:
        print_line(f"  left out: {lost}")
    for note in result.notes:
        print_line(f"  note: {note}")
