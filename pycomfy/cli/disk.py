"""`pycomfy disk`: what is used for what."""

from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.fixes import render_fixes
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count, size
from pycomfy.cli.terminal import print_line, print_rows

if TYPE_CHECKING:
    from pycomfy.services.disk.usage import DiskUse

_MAX_SHOWN = 20


def disk(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """Show what is used for what on the disk, and which command frees it.

    What has no command is needed: a version is restored from it, or it is nowhere else.

    Example: `pycomfy disk`
    """
    from pycomfy.services.disk.usage import measure_disk
    from pycomfy.services.workspace import Workspace

    usage = measure_disk(Workspace.open())
    if as_json:
        print_json(usage)
        return
    titles = ("size", "what", "where", "freed by")
    print_rows(usage.uses, titles, cells=_cells, plain=_cells, right=("size",), wrap=("where",))
    print_line(f"{size(usage.size)} in all")
    for one in usage.workflows[:_MAX_SHOWN]:
        images = count(one.images, "image")
        print_line(f"  {one.name}: layers of {images}, {size(one.size)}; {size(one.own)} of them no other workflow has")
    if len(usage.workflows) > _MAX_SHOWN:
        print_line(f"  and {len(usage.workflows) - _MAX_SHOWN} more workflows; --json has all")


def _cells(use: "DiskUse") -> tuple[str, ...]:
    return "?" if use.size is None else size(use.size), use.title, use.where, render_fixes(use.fixes)
