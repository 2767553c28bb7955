"""`pycomfy catalog`: which node packs there are, and which node types are whose."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import find_console, print_lines, print_table

if TYPE_CHECKING:
    from pycomfy.core.catalog.match import Answer
    from pycomfy.core.catalog.model import Listing

app = typer.Typer(
    help="Look up node packs and their node types, offline once fetched.",
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def update(as_json: _Json = False) -> None:
    """Fetch the newest lists of node packs.

    They come from ComfyUI-Manager's repository, or its last release on the Python package index.

    Example: `pycomfy catalog update`
    """
    from pycomfy.services import catalog as action
    from pycomfy.services.workspace import Workspace

    made = action.update(Workspace.open())
    if as_json:
        result = {
            "origins": [vars(o) for o in made.origins],
            "packs": made.packs,
            "types": made.types,
            "remarks": list(made.remarks),
        }
        print_json(result)
        return
    print(f"{made.packs} node packs with {made.types} node types")
    for origin in made.origins:
        print(f"  from {origin.name} ({origin.hash[:12]})")
    for remark in made.remarks:
        print(f"  note: {remark}")


@app.command()
def search(
    text: Annotated[list[str], typer.Argument(help="Words of a title, author, description, address or node type.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    as_json: _Json = False,
) -> None:
    """Find node packs.

    Example: `pycomfy catalog search video helper`
    """
    from pycomfy.services import catalog as action
    from pycomfy.services.workspace import Workspace

    found = action.search(Workspace.open(), " ".join(text), limit)
    if as_json:
        print_json([as_dict(pack) for pack in found])
    else:
        _table(found)


@app.command()
def show(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="A repository's URL, owner/name, or a registry id.")],
    as_json: _Json = False,
) -> None:
    """Show a node pack and its node types.

    Example: `pycomfy catalog show ltdrdata/ComfyUI-Impact-Pack`
    """
    from pycomfy.services import catalog as action
    from pycomfy.services.workspace import Workspace

    pack = action.show(Workspace.open(), repo)
    if as_json:
        print_json(as_dict(pack) | {"types": list(pack.types)})
        return
    print(pack.url)
    for label, value in (("title", pack.title), ("author", pack.author), ("about", pack.description)):
        if value:
            print(f"  {label}: {value}")
    print(f"  {describe(pack)}")
    for type_ in pack.types:
        print(f"  {type_}")


@app.command()
def resolve(
    types: Annotated[list[str], typer.Argument(metavar="TYPE…", help="Node types, as a workflow names them.")],
    as_json: _Json = False,
) -> None:
    """Show which node pack provides each node type, or which may if that is uncertain.

    Example: `pycomfy catalog resolve VHS_VideoCombine KSampler`
    """
    from pycomfy.services import catalog as action
    from pycomfy.services.workspace import Workspace

    answers = action.resolve(Workspace.open(), types)
    if as_json:
        print_json([_answer_as_dict(a) for a in answers])
        return
    for answer, line in zip(answers, _lines([(a.type, a.answer or "-", _reason(a)) for a in answers]), strict=True):
        print(line)
        if answer.answer is None:
            for pack in answer.candidates:
                print(f"  {pack.url}  ({describe(pack)})")


def describe(pack: "Listing") -> str:
    """Stars, last update and the number of types, in a few words."""
    stars = f"{pack.stars} stars" if pack.stars is not None else "stars unknown"
    return ", ".join([stars, *([f"updated {pack.updated}"] if pack.updated else []), f"{len(pack.types)} node types"])


def as_dict(pack: "Listing") -> dict[str, object]:
    return {
        "url": pack.url,
        "title": pack.title,
        "author": pack.author,
        "description": pack.description,
        "registry_id": pack.registry_id,
        "stars": pack.stars,
        "updated": pack.updated,
        "types": len(pack.types),
    }


def _reason(answer: "Answer") -> str:
    return answer.reason + (f", ComfyUI {answer.since} has it" if answer.since is not None else "")


def _lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns for a person; a program splits at tabs."""
    if find_console() is None:
        return ["\t".join(row) for row in rows]
    from rich.cells import cell_len, set_cell_size

    wide = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(set_cell_size(text, n) for text, n in zip(row, wide, strict=True)).rstrip() for row in rows]


def _answer_as_dict(answer: "Answer") -> dict[str, object]:
    return {
        "type": answer.type,
        "answer": answer.answer,
        "reason": answer.reason,
        **({"comfyui": answer.since} if answer.since is not None else {}),
        "candidates": [{"url": p.url, "stars": p.stars, "updated": p.updated} for p in answer.candidates],
    }


def _table(packs: list["Listing"]) -> None:
    console = find_console()
    if console is None:
        print_lines((pack.url, pack.stars if pack.stars is not None else "-", pack.title) for pack in packs)
        return
    from rich.markup import escape
    from rich.text import Text

    rows = [
        (
            escape(pack.url.removeprefix("https://").removeprefix("github.com/")),
            "" if pack.stars is None else str(pack.stars),
            pack.updated or "",
            str(len(pack.types)),
            Text(pack.title),
        )
        for pack in packs
    ]
    # A repository is shown in full: `catalog show` and `--prefer` take it.
    titles = ("repository", "stars", "updated", "types", "title")
    print_table(console, titles, rows, right=("stars", "types"))
