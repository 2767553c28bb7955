"""`pycomfy lock`: pin everything a workflow needs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.fixes import render_note
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platforms
from pycomfy.cli.progress import size
from pycomfy.cli.several import for_each
from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.services.lock.lock import LockResult

MAX_CHANGES = 40


def lock(
    workflow: Annotated[
        list[Path],
        typer.Argument(metavar="WORKFLOW", help="Its file, a picture it made, or a folder with one. Repeatable."),
    ],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Its name; default: that of its file.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its pycomfy.toml; default: the one beside it.")
    ] = None,
    pack: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL[@REV]", help="A node pack's git repository. Repeatable.")
    ] = None,
    node: Annotated[
        list[str] | None, typer.Option(metavar="NAME=COMMIT", help="Pin a pack, or ComfyUI, to a commit. Repeatable.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(metavar="PACK", help="The pack to take where several may be meant. Repeatable.")
    ] = None,
    update: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="Renew only this: comfyui, base, python, models, gateway, a pack's name, or all. Repeatable.",
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Take Python packages as of this date, like 2025-12-05.")
    ] = None,
    platform: Annotated[
        list[str] | None, typer.Option(metavar=PLATFORM_METAVAR, help="Lock only this platform. Repeatable.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(metavar="cpu|cu128|rocm6.4|…", help="Take PyTorch's builds for this accelerator.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the lock; default: beside the workflow.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show why each node type is taken from its pack.")] = False,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Pin everything a workflow needs by hash, in `pycomfy.lock`.

    It pins ComfyUI, node packs, Python and Debian packages, and models. In a folder with several workflows, the lock of
    NAME.json is NAME.lock.

    Node packs that pycomfy.toml does not name are looked up. Where several may be meant, pycomfy asks; nothing is
    guessed. Packs that were found, and models, stay at the lock's commits until `--update`.

    `build` locks again after a change to the workflow, to pycomfy.toml or to a pack's folder, but not after a change
    to a git repository.

    Examples: `pycomfy lock portrait.json`,
    `pycomfy lock portrait.json --pack my-nodes=https://example.org/my-nodes.git@v1.2 --as-of 2025-12-05`
    """
    from pycomfy.services.lock.lock import lock as lock_workflow
    from pycomfy.services.lock_request import LockRequest
    from pycomfy.services.workspace import Workspace

    if output is not None and len(workflow) > 1:
        raise typer.BadParameter("this is the lock of one workflow", param_hint="--output")
    request = LockRequest(
        workflow[0],
        name=name,
        config=config,
        packs=_parse_pairs(pack, "--pack", "NAME=URL"),
        nodes=_parse_pairs(node, "--node", "NAME=COMMIT"),
        as_of=_parse_date(as_of),
        platforms=parse_platforms(platform),
        accelerator=accelerator,
        prefer=tuple(prefer or ()),
        update=tuple(update or ()),
        output=output,
    )

    def show(result: "LockResult") -> None:
        _show(result)
        if explain:
            _explain(result)

    with maybe_dry(Workspace.open(), dry=dry, fetches=True) as workspace:
        for_each(workflow, lambda one: lock_workflow(workspace, replace(request, workflow=one)), show, as_json=as_json)


def _parse_pairs(values: list[str] | None, option: str, form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values or ():
        key, equals, rest = value.partition("=")
        if not (key and equals and rest):
            raise typer.BadParameter(f"write {form}, not {value!r}", param_hint=option)
        if key in pairs:
            raise typer.BadParameter(f"{key} is given twice", param_hint=option)
        pairs[key] = rest
    return pairs


def _parse_date(text: str | None) -> datetime | None:
    if text is None:
        return None
    from pycomfy.core.lockfile.config_types import to_moment  # imported late: it imports pydantic

    try:
        return to_moment(text)
    except ValueError as e:
        raise typer.BadParameter(f"{text!r}: {e}", param_hint="--as-of") from e


def _show(result: "LockResult") -> None:
    lock = result.lock
    print_line(f"{'wrote' if result.changed else 'unchanged'} {result.path}")
    print_line(f"  {lock.name}, as of {lock.as_of}, Python {lock.python}{lock.variant}")
    print_line(f"  ComfyUI {lock.comfyui.version} from {lock.comfyui.source.describe()}")
    for pack in lock.packs:
        types = f": {', '.join(pack.types)}" if pack.types else ""
        print_line(f"  {pack.name} from {pack.source.describe()}{types}")
    for name, platform in lock.platforms.items():
        wheels, gateway, debs = platform.wheels, platform.gateway, platform.root.packages
        print_line(
            f"  {name}: {len(wheels)} Python packages ({size(sum(w.size for w in wheels))}), "
            f"{len(gateway)} of the gateway ({size(sum(w.size for w in gateway))}), "
            f"{len(debs)} of Debian {platform.root.suite} ({size(sum(d.size for d in debs))})"
        )
    if lock.models:
        count = "1 model" if len(lock.models) == 1 else f"{len(lock.models)} models"
        known = [m.size for m in lock.models if m.size is not None]
        large = f" ({size(sum(known))})" if len(known) == len(lock.models) else ""
        print_line(f"  {count}{large}, not in the image")
    _show_changes(result.changes)
    for note in result.notes:
        print_line(f"  note: {render_note(note)}")


def _show_changes(lines: Sequence[str]) -> None:
    for line in lines[:MAX_CHANGES]:
        print_line(f"  change: {line}")
    if len(lines) > MAX_CHANGES:
        print_line(f"  and {len(lines) - MAX_CHANGES} more changes")


def _explain(result: "LockResult") -> None:
    for reason in result.reasons:
        print_line(f"  {reason.type}: {reason.source} ({reason.rule}: {reason.evidence})")
    for name, commit in {r.source: r.commit for r in result.reasons if r.commit}.items():
        print_line(f"  {name}: {commit}")
