"""The runtime's command line."""

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from . import health, job, object_info, serve
from .places import Places


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="gateway", description="Run ComfyUI inside a pycomfy image.")
    for place in fields(Places):
        kind = int if place.name == "port" else Path
        parser.add_argument(f"--{place.name}", type=kind, default=place.default, help="default: %(default)s")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="start ComfyUI and stay")
    one = commands.add_parser("job", help="run one prompt: a JSON request in, JSON lines out")
    one.add_argument("--no-watch", action="store_true", help="go on when standard input ends")
    commands.add_parser("object-info", help="print every node type as JSON")
    commands.add_parser("health", help="exit 0 if ComfyUI answers")
    given = parser.parse_args(arguments)
    places = replace(Places(), **{f.name: getattr(given, f.name) for f in fields(Places)})
    if given.command == "job":
        return job.run(places, watch=not given.no_watch)
    return {"serve": serve.run, "object-info": object_info.run, "health": health.run}[given.command](places)
