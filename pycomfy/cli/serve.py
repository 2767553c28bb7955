"""`pycomfy serve`: the studio, in the browser."""

import sys
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count
from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.server.listen import Studio


def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port on 127.0.0.1; 0: any that is free.")
    ] = 8787,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the address and the token as JSON, once ready.")
    ] = False,
) -> None:
    """Open the studio in the browser: see, build and compare workflows without a terminal.

    It runs until Ctrl-C, on this machine alone. Only who has the address with its token, which is new with each start,
    can use it. Builds go on when the browser is closed, and when the server ends.

    `pycomfy run NAME --serve` serves the API of one image.

    Examples: `pycomfy serve`, `pycomfy serve --port 9000 --no-open`
    """
    from pycomfy.server.listen import StudioOptions, serve_studio
    from pycomfy.services.workspace import Workspace

    def show(studio: "Studio") -> None:
        if as_json:
            print_json(studio)
        else:
            print_line(studio.url)
            print_line("the studio; Ctrl-C ends it. Who has this address may do all that you may.", error=True)
        sys.stdout.flush()
        if open_ and not as_json:
            webbrowser.open(studio.url)

    going_on = serve_studio(Workspace.open(), StudioOptions(port), show)
    if going_on:
        operations = count(going_on, "operation")
        print_line(
            f"stopped: {operations} will go on, and the next `pycomfy serve` shows what became of it", error=True
        )
