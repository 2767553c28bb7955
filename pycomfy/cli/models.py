"""`pycomfy models`: the models that workflows need, and those on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.exit_status import CHECK_FAILED, USER_ERROR
from pycomfy.cli.fixes import with_fixes
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count, size
from pycomfy.cli.shell import render_command
from pycomfy.cli.terminal import print_line, print_rows, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from pycomfy.services.models.needed import NeededModel, PullResult
    from pycomfy.services.models.stored import StoredModelResult

app = typer.Typer(
    help="Show, fetch and verify the models that workflows need.",
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
_Target = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@V]|PATH", help="A version that was built; or a workflow or its folder, as in portrait/."
    ),
]

_COLOURS = {"present": "green", "missing": "red", "unpinned": "yellow", "intact": "green", "damaged": "red"}


@app.command()
def status(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME[@V]|PATH]",
            help="A version that was built; or a workflow or its folder; without, everything that is here.",
            show_default=False,
        ),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Show which models of a workflow are here, missing, or not pinned.

    A workflow that was built goes before a folder of the same name: `portrait/` is the folder.

    Example: `pycomfy models status portrait`
    """
    from pycomfy.services.models.needed import models_status
    from pycomfy.services.models.stored import list_stored
    from pycomfy.services.workspace import Workspace

    if target is None:
        _show_stored(list_stored(Workspace.open()), as_json)
        return
    models = models_status(Workspace.open(), target)
    if as_json:
        print_json(models)
        return
    if not models:
        print_line(f"{target} needs no models", error=True)
        return
    _table(
        ("", "model", "size", "from"),
        [(m.state, m.location + (" (pickle)" if m.pickle else ""), _size(m.size), _origin(m)) for m in models],
    )
    unpinned = [m for m in models if m.state == "unpinned"]
    for at, m in enumerate(unpinned):
        # A fix of several in a row is shown once, with the last.
        is_last = at + 1 == len(unpinned) or unpinned[at + 1].fix != m.fix
        print_line(with_fixes(f"note: {m.location}: {m.why}", m.fix if is_last else ()), error=True)
    if any(m.state == "missing" for m in models):
        command = render_command(("pycomfy", "models", "pull", target))
        print_line(f"`{command}` fetches what is missing", error=True)


@app.command()
def pull(target: _Target, dry: DryRun = False, as_json: _Json = False) -> None:
    """Fetch the models of a workflow that are not here.

    A download that was interrupted is resumed. Exit 1 if the lock does not pin all models: those are not fetched.

    A workflow that was built goes before a folder of the same name: `portrait/` is the folder.

    Example: `pycomfy models pull portrait`
    """
    from pycomfy.services.models.needed import pull_models
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = pull_models(workspace, target)
    if as_json:
        print_json(result)
    else:
        _show_pulled(result)
    if result.unpinned:
        raise typer.Exit(USER_ERROR)


@app.command()
def add(
    source: Annotated[
        str, typer.Argument(metavar="FILE|FOLDER|URL", help="A model, a folder like ComfyUI's, or an address.")
    ],
    place: Annotated[
        str | None,
        typer.Option("--as", metavar="FOLDER/NAME", help="What workflows call it.", show_default=False),
    ] = None,
    dry: DryRun = False,
    as_json: _Json = False,
) -> None:
    """Add models to the model store, without copying them, under the names that workflows use.

    A file in ComfyUI's `models` folder keeps the name it has there; so do all models of such a folder.

    Examples: `pycomfy models add ~/Downloads/x.safetensors --as loras/x.safetensors`,
    `pycomfy models add ~/ComfyUI/models`
    """
    from pycomfy.services.models.stored import add_folder, add_model
    from pycomfy.services.workspace import Workspace

    if Path(source).is_dir() and place is not None:
        raise typer.BadParameter("the models of a folder keep the names they have there", param_hint="--as")
    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        if Path(source).is_dir():
            results = add_folder(workspace, Path(source))
        else:
            results = [add_model(workspace, source, place)]
    if as_json:
        print_json(results)
        return
    for result in results:
        print_line(f"{result.place}  {result.sha256}")
        if result.replaced is not None:
            print_line(f"note: {result.place} was another file before, {result.replaced}", error=True)


@app.command()
def verify(as_json: _Json = False) -> None:
    """Read every model that is here, and compare its SHA-256.

    Exit 3 if one is not what it was.

    Example: `pycomfy models verify`
    """
    from pycomfy.services.models.stored import verify_models
    from pycomfy.services.workspace import Workspace

    models = verify_models(Workspace.open())
    _show_stored(models, as_json)
    if not all(m.intact for m in models):
        raise typer.Exit(CHECK_FAILED)


def _show_pulled(result: "PullResult") -> None:
    for model in result.fetched:
        print_line(model.location)
    for m in result.unpinned:
        print_line(with_fixes(f"warning: {m.location} cannot be fetched: {m.why}", m.fix), error=True)
    unpinned = f", {len(result.unpinned)} missing: not pinned" if result.unpinned else ""
    nothing = "" if result.fetched else "nothing to fetch: "
    print_line(f"{nothing}{len(result.fetched)} fetched, {len(result.present)} here already{unpinned}", error=True)


def _show_stored(models: list["StoredModelResult"], as_json: bool) -> None:
    if as_json:
        print_json(models)
        return
    words = {None: "", True: "intact", False: "damaged"}
    _table(
        ("", "SHA-256", "size", "added as"),
        [(words[m.intact], m.sha256, _size(m.size), ", ".join(m.names)) for m in models],
    )
    print_line(f"{count(len(models), 'model')}, {size(sum(m.size for m in models))}", error=True)


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    print_rows(rows, titles, cells=_cells, plain=tuple, right=("size",), wrap=titles)


def _cells(row: tuple[str, ...]) -> "Sequence[RenderableType]":
    """The row, with its first cell in the colour of the state that it says."""
    return styled((row[0], _COLOURS.get(row[0], ""))), *row[1:]


def _origin(model: "NeededModel") -> str:
    from pycomfy.core.models.model_url import describe

    if model.state == "unpinned":
        return ""
    return ", ".join(describe(s) for s in model.sources) or "added by hand"


def _size(amount: int | None) -> str:
    return "" if amount is None else size(amount)
