"""`pycomfy export`: a version as one file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pycomfy.actions.bundle import export_version
from pycomfy.cli.progress import make_progress, size
from pycomfy.outside.home import find_home


def export(
    reference: Annotated[str, typer.Argument(metavar="NAME[@V]", help="A version: by number, tag or commit.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The bundle, as portrait.tar.zst.")],
    models: Annotated[bool, typer.Option("--models", help="Put the models in, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write a version with all its sources to one file, which builds the same image elsewhere without a network.

    Example: `pycomfy export portrait@3 -o portrait.tar.zst`
    """
    result = export_version(reference, output, find_home(), make_progress(), models=models)
    if as_json:
        about = {
            "name": result.version.version.name,
            "version": result.version.version.number,
            "commit": result.version.version.commit,
            "file": str(result.file),
            "size": result.size,
            "sources": result.sources,
            "models": result.models,
        }
        print(json.dumps(about, indent=1, ensure_ascii=False))
        return
    print(f"{result.version.label}, {result.sources} sources, {result.models} models")
    print(f"  bundle   {result.file}, {size(result.size)}")
    print(f"  import   pycomfy import {result.file}")
