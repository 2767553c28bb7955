"""`pycomfy show`: one version."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count, size
from pycomfy.cli.shell import render_command
from pycomfy.cli.terminal import MAX_CELL, print_line

if TYPE_CHECKING:
    from pycomfy.core.versions.built_image import BuiltImage
    from pycomfy.services.versions.show import ShowResult


def show(
    reference: Annotated[str, typer.Argument(metavar="REF", help="NAME, NAME@3, NAME@tag or NAME@commit.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show a version and everything recorded about it.

    It shows who made it when, what it is made of, its inputs, what changed in it, and its images.

    Examples: `pycomfy show hello`, `pycomfy show hello@2 --json`
    """
    from pycomfy.services.versions.show import flake_options
    from pycomfy.services.versions.show import show as show_version
    from pycomfy.services.workspace import Workspace

    workspace = Workspace.open()
    result = show_version(workspace, reference)
    if as_json:
        print_json(result)
    else:
        _print(result, flake_options(workspace))


def _print(result: "ShowResult", flake_options: tuple[str, ...]) -> None:
    from pycomfy.core.interface.json_schema import describe_type
    from pycomfy.core.sentences import shorten

    tags = f" ({', '.join(result.tags)})" if result.tags else ""
    pytorch = f", PyTorch for {result.accelerator}" if result.accelerator is not None else ""
    print_line(f"{result.label}{tags}")
    print_line(f"  commit    {result.commit}")
    if len(result.parents) > 1:
        print_line(f"  merge     {' '.join(parent[:12] for parent in result.parents)}")
    print_line(f"  author    {result.author}")
    print_line(f"  date      {_plain_date(result.created_at)}")
    print_line(f"  ComfyUI   {result.comfyui.version}, Python {result.python}{pytorch}, packages as of {result.as_of}")
    if result.packs:
        works = _describe_packs(result.images)
        print_line(f"  packs     {', '.join(pack.name + works.get(pack.name, '') for pack in result.packs)}")
    for image in result.images:
        layers = count(len(image.diff_ids), "layer")
        print_line(f"  image     {image.platform}, {size(image.size)}, {layers}, {image.manifest_digest}")
        print_line(f"  verified  {_describe_verification(image)}")
    for parameter in result.inputs or ():
        default = shorten(json.dumps(parameter.default, ensure_ascii=False), MAX_CELL)
        print_line(f"  input     {parameter.name} ({describe_type(parameter)}): {default}")
    print_line(f"  Nix       {render_command(('nix', 'build', *flake_options, result.flake))}")
    if result.message:
        print_line()
        for line in result.message.splitlines():
            print_line(f"    {line}")
    if result.summary:
        print_line()
        for line in result.summary:
            print_line(line)


def _describe_packs(images: "tuple[BuiltImage, ...]") -> dict[str, str]:
    """Return what the verification of an image says of each node pack."""
    found = {name: works for image in images for name, works in image.compatible.items()}
    return {name: " (works)" if works else " (does not work)" for name, works in found.items()}


def _describe_verification(image: "BuiltImage") -> str:
    if image.proven is None:
        return "no: the image was not started and asked for its nodes; `pycomfy check` does that"
    verdict = "yes: it has what" if image.proven else "no: it lacks something that"
    checked = f", checked {_plain_date(image.checked_at)}" if image.checked_at else ""
    return f"{verdict} the workflow needs{checked}"


def _plain_date(moment: str) -> str:
    return moment.replace("T", " ").removesuffix("Z")
