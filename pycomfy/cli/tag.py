"""`pycomfy tag`: names for versions."""

from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.services.versions.tag import list_tags, untag
from pycomfy.services.versions.tag import tag as tag_version
from pycomfy.services.workspace import Workspace


def tag(
    name: Annotated[str | None, typer.Argument(metavar="TAG", help="The tag.", show_default=False)] = None,
    reference: Annotated[
        str | None, typer.Argument(metavar="REF", help="The version; with -d, its workflow.", show_default=False)
    ] = None,
    delete: Annotated[bool, typer.Option("-d", "--delete", help="Remove the tag from the workflow REF.")] = False,
    force: Annotated[bool, typer.Option("-f", "--force", help="Move the tag if another version has it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """Name a version, which is NAME@TAG from then on. Without arguments, list all tags.

    Examples: `pycomfy tag stable hello@2`, `pycomfy tag -d stable hello`, `pycomfy tag --json`
    """
    home = Workspace.open()
    if name is None:
        _list(as_json)
    elif reference is None:
        raise typer.BadParameter("say which version: pycomfy tag TAG REF", param_hint="REF")
    elif delete:
        print(f"removed {reference}@{name}, was {untag(home, name, reference)[:12]}")
    else:
        version = tag_version(home, name, reference, force=force)
        print(f"{version.name}@{name} is {version.label}")


def _list(as_json: bool) -> None:
    found = list_tags(Workspace.open())
    if as_json:
        rows = [
            {"tag": t.partition("@")[2], "name": v.name, "version": v.number, "commit": v.commit}
            for t, v in found.items()
        ]
        print_json(rows)
    else:
        for label, version in found.items():
            print(label, version.label, version.commit[:12], sep="\t")
