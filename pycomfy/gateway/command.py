"""The runtime's command line."""

import argparse
import importlib
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from .places import Places

_MODULES = {
    "serve": "server_command",
    "job": "job",
    "comfyui": "comfyui_alone",
    "object-info": "object_info",
    "health": "health",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="gateway", description="Run ComfyUI inside a pycomfy image.")
    for place in fields(Places):
        kind = int if place.name == "port" else Path
        parser.add_argument(f"--{place.name}", type=kind, default=place.default, help="default: %(default)s")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the workflow as an API")
    serve.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    one = commands.add_parser("job", help="run one prompt: a JSON request in, JSON lines out")
    one.add_argument("--no-watch", action="store_true", help="go on when standard input ends")
    commands.add_parser("comfyui", help="become ComfyUI itself, without the API")
    nodes = commands.add_parser("object-info", help="print every node type as JSON")
    nodes.add_argument("--packs", type=Path, help="wait there for the newest code of node packs, then load them")
    commands.add_parser("health", help="exit 0 if the API answers")
    given = parser.parse_args(arguments)
    places = replace(Places(), **{f.name: getattr(given, f.name) for f in fields(Places)})
    # Only what the command needs: the packages of the server cost time and memory.
    module = importlib.import_module(f"{__package__}.{_MODULES[given.command]}")
    options: dict[str, object] = {}
    if given.command == "job":
        options = {"watch": not given.no_watch}
    elif given.command == "serve":
        options = {"until_eof": given.until_eof}
    elif given.command == "object-info":
        options = {"packs": given.packs}
    status: int = module.run(places, **options)
    return status
