"""`pycomfy show`: one version."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import size
from pycomfy.core.interface.json_schema import describe_type
from pycomfy.core.interface.model import Parameter
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.workflow.untrusted_json import shown as printable
from pycomfy.services.versions.show import Shown
from pycomfy.services.versions.show import show as show_version
from pycomfy.services.workspace import Workspace


def show(
    reference: Annotated[str, typer.Argument(metavar="REF", help="NAME, NAME@3, NAME@tag or NAME@commit.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show a version: who made it when, what it is made of, its inputs, what changed in it, and what was built.

    Examples: `pycomfy show hello`, `pycomfy show hello@2 --json`
    """
    shown = show_version(Workspace.open(), reference)
    if as_json:
        print_json(_as_dict(shown))
    else:
        _print(shown)


def _as_dict(shown: Shown) -> dict[str, Any]:
    version, lock = shown.version, shown.snapshot.lock
    interface = shown.snapshot.interface
    images = [image.model_dump(mode="json", exclude={"version"}) for image in shown.snapshot.images.values()]
    return {
        "name": version.name,
        "version": version.number,
        "commit": version.commit,
        "parent": version.parents[0] if version.parents else None,
        "parents": list(version.parents),
        "message": version.message,
        "author": version.author,
        "created_at": version.created_at,
        "manifest_digest": images[0]["manifest_digest"] if images else None,
        "tags": list(shown.tags),
        "comfyui": lock.comfyui.model_dump(mode="json"),
        "packs": [pack.model_dump(mode="json") for pack in lock.packs],
        "models": [model.model_dump(mode="json") for model in lock.models],
        "python": lock.python,
        "accelerator": lock.accelerator,
        "as_of": lock.as_of,
        "platforms": {
            name: {"wheels": len(p.wheels), "debian_packages": len(p.root.packages)}
            for name, p in lock.platforms.items()
        },
        "images": images,
        "inputs": None if interface is None else [p.model_dump(mode="json") for p in interface.parameters],
        "outputs": None if interface is None else [o.model_dump(mode="json") for o in interface.outputs],
        "changes": None if shown.changes is None else asdict(shown.changes),
        "flake": shown.flake,
    }


def _print(shown: Shown) -> None:
    version, lock = shown.version, shown.snapshot.lock
    tags = f" ({', '.join(shown.tags)})" if shown.tags else ""
    print(f"{version.label}{tags}")
    print(f"  commit   {version.commit}")
    if len(version.parents) > 1:
        print(f"  merge    {' '.join(p[:12] for p in version.parents)}")
    print(f"  author   {version.author}")
    print(f"  date     {version.created_at.replace('T', ' ').removesuffix('Z')}")
    print(f"  ComfyUI  {lock.comfyui.version}, Python {lock.python}{lock.variant}, packages as of {lock.as_of}")
    if lock.packs:
        works = _compatible(shown)
        print(f"  packs    {', '.join(p.name + works.get(p.name, '') for p in lock.packs)}")
    for platform, image in shown.snapshot.images.items():
        print(f"  image    {platform}, {size(image.size)}, {len(image.diff_ids)} layers, {image.manifest_digest}")
        print(f"  proof    {_proof(image)}")
    for parameter in shown.snapshot.interface.parameters if shown.snapshot.interface is not None else ():
        print(f"  input    {parameter.name} ({describe_type(parameter)}): {_default(parameter)}")
    print(f"  Nix      nix build '{shown.flake}'")
    if version.message:
        print("".join(f"\n    {line}" for line in version.message.splitlines()))
    lines = describe_diff(shown.changes) if shown.changes is not None else []
    if lines:
        print()
        print("\n".join(lines))


def _compatible(shown: Shown) -> dict[str, str]:
    """What the proof of an image says of each node pack."""
    said = {name: works for image in shown.snapshot.images.values() for name, works in image.compatible.items()}
    return {name: " (works)" if works else " (does not work)" for name, works in said.items()}


def _proof(image: BuiltImage) -> str:
    if image.proven is None:
        return "none: nobody asked it for its nodes; `pycomfy check` does"
    verdict = "has what the workflow needs" if image.proven else "lacks something that the workflow needs"
    when = f", checked {image.checked_at.replace('T', ' ').removesuffix('Z')}" if image.checked_at else ""
    return f"it {verdict}{when}"


def _default(parameter: Parameter) -> str:
    return printable(json.dumps(parameter.default, ensure_ascii=False))
