"""`pycomfy inspect`: what is in a workflow."""

import sys
from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import make_console


def inspect(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A workflow, or an image, sound or video with one; a URL; - for stdin."),
    ],
    object_info: Annotated[
        str | None,
        typer.Option(
            "--object-info", metavar="JSON|URL", help="Check against a saved /object_info or a running ComfyUI."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show what is in a workflow, and what is wrong with it.

    It lists nodes and node packs, models, files, inputs and outputs.

    Examples: `pycomfy inspect portrait.png`, `pycomfy inspect workflow.json --object-info http://127.0.0.1:8188`
    """
    from pycomfy.services.inspect import inspect as inspect_workflow

    result = inspect_workflow(file, object_info)
    if as_json:
        print_json(result)
    else:
        from pycomfy.cli.inspect_report import show

        show(result, make_console(sys.stdout))
