"""The options of commands that have Nix build something."""

from typing import Annotated

import typer

Jobs = Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=0, help="Layers built at a time; 0: one per core.")]
Sandbox = Annotated[bool, typer.Option(help="Build in Nix's sandbox.")]
