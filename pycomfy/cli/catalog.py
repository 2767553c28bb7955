"""`pycomfy catalog`: node packs, and the node types that they provide."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.fixes import with_fixes
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count
from pycomfy.cli.terminal import find_console, print_line, print_rows

if TYPE_CHECKING:
    from pycomfy.services.catalog import Candidate, PackDetails, PackSummary, ResolveResult

app = typer.Typer(
    help="Look up node packs and their node types, offline once fetched.",
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def update(dry: DryRun = False, as_json: _Json = False) -> None:
    """Fetch the newest lists of node packs.

    They come from ComfyUI-Manager's repository, or its last release on the Python package index.

    Example: `pycomfy catalog update`
    """
    from pycomfy.services import catalog as service
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry, fetches=True) as workspace:
        result = service.update(workspace)
    if as_json:
        print_json(result)
        return
    print_line(f"{result.packs} node packs with {result.types} node types")
    for origin in result.origins:
        print_line(f"  from {origin.name} ({origin.hash[:12]})")
    for remark in result.remarks:
        print_line(f"  note: {remark}")


@app.command()
def search(
    text: Annotated[list[str], typer.Argument(help="Words of a title, author, description, address or node type.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    as_json: _Json = False,
) -> None:
    """Find node packs.

    Example: `pycomfy catalog search video helper`
    """
    from pycomfy.services import catalog as service
    from pycomfy.services.workspace import Workspace

    packs = service.search(Workspace.open(), " ".join(text), limit)
    if as_json:
        print_json(packs)
    elif packs:
        _show_packs(packs)
    else:
        none = service.explain_none(Workspace.open(), " ".join(text))
        print_line(with_fixes(none.text, none.fixes), error=True)


@app.command()
def show(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="A repository's URL, owner/name, or a registry id.")],
    as_json: _Json = False,
) -> None:
    """Show a node pack and its node types.

    Example: `pycomfy catalog show ltdrdata/ComfyUI-Impact-Pack`
    """
    from pycomfy.services import catalog as service
    from pycomfy.services.workspace import Workspace

    pack = service.show(Workspace.open(), repo)
    if as_json:
        print_json(pack)
        return
    print_line(pack.url)
    for label, value in (("title", pack.title), ("author", pack.author), ("about", pack.description)):
        if value:
            print_line(f"  {label}: {value}")
    print_line(f"  {_describe(pack, len(pack.types))}")
    for type_ in pack.types:
        print_line(f"  {type_}")


@app.command()
def resolve(
    types: Annotated[list[str], typer.Argument(metavar="TYPE…", help="Node types, as a workflow names them.")],
    as_json: _Json = False,
) -> None:
    """Show which node pack provides each node type, or which may if that is uncertain.

    Example: `pycomfy catalog resolve VHS_VideoCombine KSampler`
    """
    from pycomfy.services import catalog as service
    from pycomfy.services.workspace import Workspace

    answers = service.resolve(Workspace.open(), types)
    if as_json:
        print_json(answers)
        return
    rows = [(a.type, a.answer or "-", _reason(a)) for a in answers]
    for answer, row in zip(answers, _align(rows), strict=True):
        print_line(*row, sep="\t" if find_console() is None else "  ")
        if answer.answer is None:
            for pack in answer.candidates:
                print_line(f"  {pack.url}  ({_describe(pack, pack.types)})")


def _describe(pack: "PackDetails | Candidate", types: int) -> str:
    """Stars, last update and the number of types, in a few words."""
    stars = count(pack.stars, "star") if pack.stars is not None else "stars unknown"
    return ", ".join([stars, *([f"updated {pack.updated}"] if pack.updated else []), f"{count(types, 'node type')}"])


def _reason(answer: "ResolveResult") -> str:
    return answer.reason + (f", known from ComfyUI {answer.comfyui} on" if answer.comfyui is not None else "")


def _align(rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    """The rows with their cells as wide as their column, for a person; as they are for a program."""
    if find_console() is None:
        return rows
    from rich.cells import cell_len, set_cell_size

    wide = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    wide[-1:] = [0] * len(wide[-1:])
    return [tuple(set_cell_size(text, n) for text, n in zip(row, wide, strict=True)) for row in rows]


def _show_packs(packs: list["PackSummary"]) -> None:
    titles = ("repository", "stars", "updated", "types", "title")
    print_rows(packs, titles, cells=_cells, plain=_plain, right=("stars", "types"), whole=("repository",))


def _plain(pack: "PackSummary") -> tuple[str | int, ...]:
    return pack.url, pack.stars if pack.stars is not None else "-", pack.title


def _cells(pack: "PackSummary") -> tuple[str, ...]:
    return (
        # In full: `catalog show` and `--prefer` take it.
        pack.url.removeprefix("https://").removeprefix("github.com/"),
        "" if pack.stars is None else str(pack.stars),
        pack.updated or "",
        str(pack.types),
        pack.title,
    )
