"""Offer `--dry-run`, which has the same shape for every command."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.services.workspace import Workspace

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]


@contextlib.contextmanager
def maybe_dry(workspace: "Workspace", *, dry: bool, fetches: bool = False) -> Iterator["Workspace"]:
    """Return the workspace for the block; with `dry` one whose changes are thrown away, but for what it `fetches` into
    the cache. Whoever prints a result says so on standard error."""
    if not dry:
        yield workspace
        return
    from pycomfy.services.dry_run import dry_run

    with dry_run(workspace, fetches=fetches) as copy:
        yield copy
    print_line("note: this was a dry run: nothing was changed", error=True)
