"""`pycomfy push`: send versions to others."""

from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line


def push(
    remote: Annotated[str, typer.Argument(metavar="REMOTE", help="A git repository: an address, a path, a remote.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME…", help="Only these workflows.", show_default=False)
    ] = None,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what happened as JSON.")] = False,
) -> None:
    """Send workflows with their versions and tags to a git repository.

    Nothing there is overwritten.

    Examples: `pycomfy push git@example.org:team/workflows.git`, `pycomfy push /mnt/share/versions.git hello`
    """
    from pycomfy.services.versions.push import push as push_versions
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = push_versions(workspace, remote, names or ())
    if as_json:
        print_json(result)
    else:
        for name, state in result.workflows.items():
            print_line(name, state, sep="\t")
