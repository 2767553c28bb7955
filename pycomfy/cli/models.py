"""`pycomfy models`: which models a workflow needs, whether they are here, and getting them here."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.fixes import render_fixes
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import size
from pycomfy.cli.terminal import find_console, print_lines, print_table

if TYPE_CHECKING:
    from pycomfy.adapters.models.store import StoredModel
    from pycomfy.services.models import ModelState, StoredModelState

CHECK_FAILED = 3

app = typer.Typer(
    help="Show, fetch and verify the models that workflows need.",
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
_Target = Annotated[
    str, typer.Argument(metavar="WORKFLOW|NAME[@N]", help="A workflow's file or folder, or a version that was built.")
]

_COLOURS = {"present": "green", "missing": "red", "unpinned": "yellow", "intact": "green", "damaged": "red"}


@app.command()
def status(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[WORKFLOW|NAME[@N]]",
            help="A workflow, or a version; without, everything that is here.",
            show_default=False,
        ),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Show which models of a workflow are here, missing, or not pinned.

    Example: `pycomfy models status portrait`
    """
    from pycomfy.services import models as action
    from pycomfy.services.workspace import Workspace

    if target is None:
        _show_stored(action.list_stored(Workspace.open()), as_json)
        return
    states = action.models_status(Workspace.open(), target)
    if as_json:
        print_json([state_dict(s) for s in states])
        return
    _table(
        ("", "model", "size", "from"),
        [(s.state, s.place + _pickle(s.name), _size(s.size), _origin(s)) for s in states],
    )
    for s in states:
        if s.state == "unpinned":
            print(f"note: {s.place}: {s.why} ({render_fixes(s.fixes)})", file=sys.stderr)
    if any(s.state == "missing" for s in states):
        print(f"`pycomfy models pull {target}` fetches what is missing", file=sys.stderr)


@app.command()
def pull(target: _Target, as_json: _Json = False) -> None:
    """Fetch the models of a workflow that are not here.

    A download that was interrupted is resumed.

    Example: `pycomfy models pull portrait`
    """
    from pycomfy.services import models as action
    from pycomfy.services.workspace import Workspace

    result = action.pull_models(Workspace.open(), target)
    if as_json:
        print_json(
            {
                "fetched": [m.model_dump(mode="json") for m in result.fetched],
                "present": [m.model_dump(mode="json") for m in result.present],
                "unpinned": [state_dict(s) for s in result.unpinned],
            }
        )
        return
    for model in result.fetched:
        print(model.place)
    for s in result.unpinned:
        print(f"warning: {s.place} cannot be fetched: {s.why} ({render_fixes(s.fixes)})", file=sys.stderr)
    print(f"{len(result.fetched)} fetched, {len(result.present)} were here", file=sys.stderr)


@app.command()
def add(
    source: Annotated[
        str, typer.Argument(metavar="FILE|FOLDER|URL", help="A model, a folder like ComfyUI's, or an address.")
    ],
    place: Annotated[
        str | None,
        typer.Option("--as", metavar="FOLDER/NAME", help="What workflows call it.", show_default=False),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Add models to the model store, without copying them, under the names that workflows use.

    A file in ComfyUI's `models` folder keeps the name it has there; so do all models of such a folder.

    Examples: `pycomfy models add ~/Downloads/x.safetensors --as loras/x.safetensors`,
    `pycomfy models add ~/ComfyUI/models`
    """
    from pycomfy.services import models as action
    from pycomfy.services.workspace import Workspace

    if Path(source).is_dir():
        if place is not None:
            raise typer.BadParameter("a folder's models are called what they are called there", param_hint="--as")
        results = action.add_folder(Workspace.open(), Path(source))
    else:
        results = [action.add_model(Workspace.open(), source, place)]
    if as_json:
        print_json([{"place": r.place, **_stored_dict(r.stored), "replaced": r.replaced} for r in results])
        return
    for result in results:
        print(f"{result.place}  {result.stored.sha256}")
        if result.replaced is not None:
            print(f"note: {result.place} was another file before, {result.replaced}", file=sys.stderr)


@app.command()
def verify(as_json: _Json = False) -> None:
    """Read every model that is here, and compare its SHA-256.

    Exit 3 if one is not what it was.

    Example: `pycomfy models verify`
    """
    from pycomfy.services import models as action
    from pycomfy.services.workspace import Workspace

    checked = action.verify_models(Workspace.open())
    _show_stored(checked, as_json)
    if not all(c.intact for c in checked):
        raise typer.Exit(CHECK_FAILED)


def state_dict(state: "ModelState") -> dict[str, object]:
    from pycomfy.core.models.selection import is_pickle

    pin = state.pin
    return {
        "folder": state.folder,
        "name": state.name,
        "state": state.state,
        "sha256": None if pin is None else pin.sha256,
        "size": state.size,
        "sources": [] if pin is None else [s.model_dump(mode="json") for s in pin.sources],
        "path": None if state.path is None else str(state.path),
        "pickle": is_pickle(state.name),
        "why": state.why,
        "fix": render_fixes(state.fixes),
    }


def _stored_dict(stored: "StoredModel") -> dict[str, object]:
    return {"sha256": stored.sha256, "size": stored.size, "path": str(stored.path), "linked": stored.linked}


def _show_stored(models: list["StoredModelState"], as_json: bool) -> None:
    if as_json:
        print_json([{**_stored_dict(m.stored), "names": list(m.names), "intact": m.intact} for m in models])
        return
    words = {None: "", True: "intact", False: "damaged"}
    _table(
        ("", "SHA-256", "size", "added as"),
        [(words[m.intact], m.stored.sha256, _size(m.stored.size), ", ".join(m.names)) for m in models],
    )
    total = sum(m.stored.size for m in models)
    print(f"{len(models)} models, {size(total)}", file=sys.stderr)


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table on a terminal; elsewhere a line for each, with tabs between, for other programs."""
    console = find_console()
    if console is None:
        print_lines(rows)
        return
    from rich.markup import escape

    cells = [
        (f"[{colour}]{first}[/]" if (colour := _COLOURS.get(first)) else first, *map(escape, rest))
        for first, *rest in rows
    ]
    print_table(console, titles, cells, right=("size",), wrap=titles)


def _origin(state: "ModelState") -> str:
    from pycomfy.core.models.model_url import describe

    if state.pin is None:
        return ""
    return ", ".join(describe(s) for s in state.pin.sources) or "added by hand"


def _pickle(name: str) -> str:
    from pycomfy.core.models.selection import is_pickle

    return " (pickle)" if is_pickle(name) else ""


def _size(amount: int | None) -> str:
    return "" if amount is None else size(amount)
