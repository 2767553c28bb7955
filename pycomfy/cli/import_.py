"""`pycomfy import`: a bundle's version."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pycomfy.actions.bundle import import_bundle
from pycomfy.cli.progress import make_progress
from pycomfy.outside.home import find_home


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle, as `pycomfy export` writes it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Take a bundle's version into the library and its sources into the archive, once every byte was checked.

    Example: `pycomfy import portrait.tar.zst`
    """
    result = import_bundle(file, find_home(), make_progress())
    version = result.version
    if as_json:
        about = {
            "name": version.name,
            "version": version.number,
            "commit": version.commit,
            "new": result.new,
            "sources": result.sources,
            "models": result.models,
        }
        print(json.dumps(about, indent=1, ensure_ascii=False))
        return
    print(f"{version.label}, {'a new version' if result.new else 'which was here already'}")
    print(f"  sources  {result.sources}, models {result.models}")
    print(f"  restore  pycomfy restore {version.label} --offline")
