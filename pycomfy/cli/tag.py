"""`pycomfy tag`: names for versions."""

from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.fixes import with_fixes
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line, print_rows
from pycomfy.errors import Placeholder, suggest


def tag(
    name: Annotated[str | None, typer.Argument(metavar="TAG", help="The tag.", show_default=False)] = None,
    reference: Annotated[
        str | None, typer.Argument(metavar="REF", help="The version; with -d, its workflow.", show_default=False)
    ] = None,
    delete: Annotated[bool, typer.Option("-d", "--delete", help="Remove the tag from the workflow REF.")] = False,
    force: Annotated[bool, typer.Option("-f", "--force", help="Move the tag if another version has it.")] = False,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result, or the list, as JSON.")] = False,
) -> None:
    """Give a version a name, or list all tags.

    A tagged version is NAME@TAG from then on. Without arguments, all tags are listed.

    Examples: `pycomfy tag stable hello@2`, `pycomfy tag -d stable hello`, `pycomfy tag --json`
    """
    from pycomfy.services.versions.tag import list_tags, untag
    from pycomfy.services.versions.tag import tag as tag_version
    from pycomfy.services.workspace import Workspace

    workspace = Workspace.open()
    if name is None:
        found = list_tags(workspace)
        if as_json:
            print_json(found)
            return
        if not found:
            fix = suggest("tag", name=Placeholder("TAG"), reference=Placeholder("REF"))
            print_line(with_fixes("no tags yet", fix), error=True)
            return
        rows = [(f"{entry.name}@{entry.tag}", entry.label, entry.commit[:12]) for entry in found]
        print_rows(rows, ("tag", "version", "commit"), cells=tuple, plain=tuple)
    elif reference is None:
        raise typer.BadParameter("say which version: pycomfy tag TAG REF", param_hint="REF")
    elif delete:
        with maybe_dry(workspace, dry=dry) as workspace:
            removed = untag(workspace, name, reference)
        if as_json:
            print_json(removed)
        else:
            print_line(f"removed {removed.name}@{removed.tag}, was {removed.commit[:12]}")
    else:
        with maybe_dry(workspace, dry=dry) as workspace:
            made = tag_version(workspace, name, reference, force=force)
        if as_json:
            print_json(made)
        else:
            print_line(f"{made.name}@{made.tag} is {made.label}")
