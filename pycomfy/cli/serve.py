"""`pycomfy serve`: the studio, in the browser."""

import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count
from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.server.listen import Studio


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="The port; 0: any that is free.")] = 8787,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Another address, for others: needs --auth or --trust-header.")
    ] = "127.0.0.1",
    auth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Who may use it, as `pycomfy users add` writes it.")
    ] = None,
    trust_header: Annotated[
        str | None, typer.Option(metavar="NAME", help="The header in which a proxy says who asks; needs --proxy.")
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="The address or network of that proxy. Nobody else is believed."),
    ] = None,
    role: Annotated[
        Literal["view", "run", "build"],
        typer.Option(help="What those may do whom the proxy names and the file does not."),
    ] = "view",
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A name by which it is asked, if not this machine's own or an address."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the address and the token as JSON, once ready.")
    ] = False,
) -> None:
    """Open the studio in the browser: see, build and compare workflows without a terminal.

    It runs until Ctrl-C, on this machine alone. Only who has the address with its token, which is new with each start,
    can use it. Builds go on when the browser is closed, and when the server ends.

    With `--auth` it is for several people, each with a key and a role: view, run or build. `pycomfy users log` shows
    who did what. Put a proxy with TLS before it: keys must not cross a network in the clear.

    `pycomfy run NAME --serve` serves the API of one image.

    Examples: `pycomfy serve`, `pycomfy serve --port 9000 --no-open`, `pycomfy serve --host 10.0.0.5 --auth users.toml`
    """
    from pycomfy.server.listen import LOOPBACK, StudioOptions, serve_studio
    from pycomfy.services.workspace import Workspace

    options = StudioOptions(
        port=port,
        host=host,
        auth=auth,
        trust_header=trust_header,
        proxies=tuple(proxy or ()),
        role=role,
        names=tuple(name or ()),
    )

    def show(studio: "Studio") -> None:
        if as_json:
            print_json(studio)
        else:
            print_line(studio.url)
            if studio.token:
                print_line("the studio; Ctrl-C ends it. Who has this address may do all that you may.", error=True)
            else:
                print_line("the studio; Ctrl-C ends it. `pycomfy users log` shows who did what.", error=True)
            if options.host != LOOPBACK:
                print_line(
                    "warning: keys cross the network in the clear, but for a proxy with TLS before it", error=True
                )
        sys.stdout.flush()
        if open_ and not as_json:
            webbrowser.open(studio.url)

    going_on = serve_studio(Workspace.open(), options, show)
    if going_on:
        operations = count(going_on, "operation")
        print_line(
            f"stopped: {operations} will go on, and the next `pycomfy serve` shows what became of it", error=True
        )
