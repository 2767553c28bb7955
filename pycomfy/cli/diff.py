"""`pycomfy diff`: what changed between two versions."""

from typing import Annotated

import typer

from pycomfy.cli.exit_status import CHECK_FAILED
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line


def diff(
    old: Annotated[str, typer.Argument(metavar="A", help="The older version: NAME, NAME@3, NAME@tag, NAME@commit.")],
    new: Annotated[
        str | None,
        typer.Argument(metavar="B", help="The newer one; by default the workflow's newest.", show_default=False),
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 if they differ.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
) -> int:
    """Show what changed between two versions.

    It compares nodes, parameters, node packs, packages, models, and the image.

    Examples: `pycomfy diff hello@1`, `pycomfy diff hello@1 hello-fast --exit-code`
    """
    from pycomfy.core.versions.diff_text import describe_image
    from pycomfy.services.versions.diff import diff as diff_versions
    from pycomfy.services.workspace import Workspace

    result = diff_versions(Workspace.open(), old, new)
    if as_json:
        print_json(result)
    else:
        for line in result.summary:
            print_line(line)
        for image in result.images:
            print_line(f"image {describe_image(image)}")
        if result.empty:
            print_line(f"{result.old} and {result.new} are made of the same", error=True)
    return CHECK_FAILED if exit_code and not result.empty else 0
