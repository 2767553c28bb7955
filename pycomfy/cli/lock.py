"""`pycomfy lock`: pin everything a workflow needs."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.fixes import render_fixes
from pycomfy.cli.json_output import print_json
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platforms
from pycomfy.cli.progress import size

if TYPE_CHECKING:
    from pycomfy.services.lock.lock import LockResult
    from pycomfy.services.results import Note

MAX_CHANGES = 40


def lock(
    workflow: Annotated[
        Path,
        typer.Argument(metavar="WORKFLOW", help="Its file, a picture that it made, or a folder with a workflow.json."),
    ],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call it, if not by its file.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its pycomfy.toml, if not the one beside it.")
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
            help="Renew only this of the lock: comfyui, base, python, models, a pack's name, or all. Repeatable.",
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Take Python packages as they were then, like 2025-12-05.")
    ] = None,
    platform: Annotated[
        list[str] | None, typer.Option(metavar=PLATFORM_METAVAR, help="Lock only this. Repeatable.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(metavar="cpu|cu128|rocm6.4|…", help="Take PyTorch's builds for this.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the lock, if not beside the workflow.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each node type is from where it is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Pin everything a workflow needs by hash, in `pycomfy.lock`.

    That is ComfyUI, node packs, Python and Debian packages, and models.

    Node packs that nobody names are looked up. Where several may be meant you are asked; nothing is guessed.
    Packs that were found, and models, stay at the lock's commits until `--update`.

    `build` locks again by itself after a change to the workflow, to pycomfy.toml or to a pack's folder; not after one
    to a git repository.

    Examples: `pycomfy lock portrait.json`,
    `pycomfy lock portrait.json --pack my-nodes=https://example.org/my-nodes.git@v1.2 --as-of 2025-12-05`
    """
    from pycomfy.services.lock.lock import lock as lock_workflow
    from pycomfy.services.lock_request import LockRequest
    from pycomfy.services.workspace import Workspace

    request = LockRequest(
        workflow,
        name=name,
        config=config,
        packs=_pairs(pack, "--pack", "NAME=URL"),
        nodes=_pairs(node, "--node", "NAME=COMMIT"),
        as_of=_moment(as_of),
        platforms=parse_platforms(platform),
        accelerator=accelerator,
        prefer=tuple(prefer or ()),
        update=tuple(update or ()),
        output=output,
    )
    result = lock_workflow(Workspace.open(), request)
    if as_json:
        print_json(_as_dict(result))
    else:
        _show(result)
        if explain:
            _explain(result)


def _pairs(values: list[str] | None, option: str, form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values or ():
        key, equals, rest = value.partition("=")
        if not (key and equals and rest):
            raise typer.BadParameter(f"write {form}, not {value!r}", param_hint=option)
        if key in pairs:
            raise typer.BadParameter(f"{key} is given twice", param_hint=option)
        pairs[key] = rest
    return pairs


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise typer.BadParameter(f"{text!r} is no date like 2025-12-05", param_hint="--as-of") from e


def _show(result: "LockResult") -> None:
    from pycomfy.core.versions.diff_text import describe_diff

    lock = result.lock
    print(f"{'wrote' if result.changed else 'unchanged'} {result.path}")
    print(f"  {lock.name}, as of {lock.as_of}, Python {lock.python}{lock.variant}")
    print(f"  ComfyUI {lock.comfyui.version} from {lock.comfyui.source.describe()}")
    for pack in lock.packs:
        types = f": {', '.join(pack.types)}" if pack.types else ""
        print(f"  {pack.name} from {pack.source.describe()}{types}")
    for name, platform in lock.platforms.items():
        wheels, debs = platform.wheels, platform.root.packages
        print(
            f"  {name}: {len(wheels)} Python packages ({size(sum(w.size for w in wheels))}), "
            f"{len(debs)} of Debian {platform.root.suite} ({size(sum(d.size for d in debs))})"
        )
    if lock.models:
        count = "1 model" if len(lock.models) == 1 else f"{len(lock.models)} models"
        known = [m.size for m in lock.models if m.size is not None]
        large = f" ({size(sum(known))})" if len(known) == len(lock.models) else ""
        print(f"  {count}{large}, not in the image")
    if result.changes is not None:
        _show_changes(describe_diff(result.changes))
    for note in result.notes:
        print(f"  note: {_render(note)}")


def _show_changes(lines: list[str]) -> None:
    for line in lines[:MAX_CHANGES]:
        print(f"  change: {line}")
    if len(lines) > MAX_CHANGES:
        print(f"  and {len(lines) - MAX_CHANGES} changes more")


def _explain(result: "LockResult") -> None:
    for reason in result.reasons:
        print(f"  {reason.type}: {reason.source} ({reason.rule}: {reason.evidence})")
    for name, commit in {r.source: r.commit for r in result.reasons if r.commit}.items():
        print(f"  {name}: {commit}")


def _as_dict(result: "LockResult") -> dict[str, object]:
    from pycomfy.core.versions.diff_text import describe_diff

    return {
        "path": str(result.path),
        "changed": result.changed,
        "notes": [_render(note) for note in result.notes],
        "findings": [asdict(finding) for finding in result.findings],
        "reasons": [asdict(reason) for reason in result.reasons],
        "changes": describe_diff(result.changes) if result.changes is not None else [],
        "lock": result.lock.model_dump(mode="json"),
    }


def _render(note: "Note") -> str:
    return f"{note.text} ({render_fixes(note.fixes)})" if note.fixes else note.text
