"""`pycomfy archive`: the copies of every source of every version."""

from typing import Annotated

import typer

from pycomfy.adapters.archive.binary_cache import Removed
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import size
from pycomfy.services.archive import archive as action
from pycomfy.services.archive import sync as transfers
from pycomfy.services.archive.completeness import MissingRequisite
from pycomfy.services.workspace import Workspace

CHECK_FAILED = 3
_MAX_SHOWN = 20

app = typer.Typer(
    help="Keep a copy of every source, for when upstream is gone.",
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
_Models = Annotated[bool, typer.Option("--models", help="The models of recorded versions, too.")]
_Url = Annotated[
    str, typer.Argument(metavar="URL", help="A Nix store: s3://BUCKET, ssh://HOST, https://HOST/PATH, file:///FOLDER.")
]


@app.command()
def status(as_json: _Json = False) -> None:
    """Show what the archive has and lacks.

    Exit 0 if every version can be restored from it, 3 if not.

    Example: `pycomfy archive status`
    """
    found = action.status(Workspace.open())
    if as_json:
        result = {
            "folder": str(found.archive.folder),
            "versions": found.versions,
            "needed": found.needed,
            "present": found.present,
            "size": found.size,
            "missing": [_missing(m) for m in found.missing],
            "superfluous": _removed(found.superfluous),
            "models": {"needed": found.models, "present": found.models_present},
        }
        print_json(result)
    else:
        versions = "1 version" if found.versions == 1 else f"{found.versions} versions"
        print(f"{found.archive.folder}: {found.present} of {found.needed} sources of {versions}")
        print(f"  size         {size(found.size)}")
        if found.models:
            print(f"  models       {found.models_present} of {found.models}; `pycomfy archive fill --models` adds them")
        if found.superfluous.size:
            print(f"  superfluous  {size(found.superfluous.size)}; `pycomfy archive gc` removes it")
        _show_missing(found.missing)
    if found.missing:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def fill(models: _Models = False, as_json: _Json = False) -> None:
    """Put in what recorded versions need and this machine has.

    Example: `pycomfy archive fill --models`
    """
    filled = action.fill(Workspace.open(), models=models)
    if as_json:
        absent = [{"path": need.path, "title": need.title, "origin": need.origin} for need in filled.absent]
        print_json({"added": filled.added, "size": filled.size, "absent": absent})
        return
    print(f"{filled.added} added, {size(filled.size)}")
    for need in filled.absent[:_MAX_SHOWN]:
        print(f"  not on this machine: {need.title}, from {need.origin}")


@app.command()
def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what is damaged, and put it in again if the Nix store has it.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Read every byte of the archive. Exit 0 if all of it is what it should be, 3 if not.

    Example: `pycomfy archive verify`
    """
    result = action.verify_archive(Workspace.open(), repair=repair)
    if as_json:
        damage = [{"file": d.file, "path": d.path, "what": d.what} for d in result.damage]
        about = {"paths": result.paths, "read": result.read, "damage": damage, "repaired": result.repaired}
        print_json(about)
    else:
        for d in result.damage:
            print(f"damaged: {d.file}: {d.what}" + (f" ({d.path})" if d.path else ""))
        print(f"{result.paths} sources, {size(result.read)} read, {len(result.damage)} damaged", end="")
        print(f", {result.repaired} repaired" if repair else "")
    if len(result.damage) > result.repaired:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def push(url: _Url, as_json: _Json = False) -> None:
    """Copy every source of every version, and what models are archived, to another store: a team's, or a backup.

    Example: `pycomfy archive push s3://team-archive?region=eu-central-1`
    """
    _show_transfer(transfers.push(Workspace.open(), url), "pushed", as_json)


@app.command()
def pull(url: _Url, models: _Models = False, as_json: _Json = False) -> None:
    """Fetch what recorded versions need and the archive lacks from another store; every byte is checked.

    Example: `pycomfy archive pull https://archive.example.org`
    """
    _show_transfer(transfers.pull(Workspace.open(), url, models=models), "pulled", as_json)


@app.command()
def gc(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: _Json = False,
) -> None:
    """Remove what no recorded version needs.

    Example: `pycomfy archive gc --dry-run`
    """
    removed = action.collect_garbage(Workspace.open(), dry=dry)
    if as_json:
        print_json({**_removed(removed), "dry_run": dry})
    else:
        print(f"{removed.paths} sources, {size(removed.size)}, {'would be ' if dry else ''}removed")


def _show_transfer(transfer: transfers.SyncResult, word: str, as_json: bool) -> None:
    if as_json:
        lacking = [_missing(m) for m in transfer.absent]
        about = {"paths": transfer.paths, word: transfer.moved, "missing": lacking}
        print_json(about)
        return
    print(f"{transfer.moved} of {transfer.paths} sources {word}")
    _show_missing(transfer.absent)


def _show_missing(missing: tuple[MissingRequisite, ...]) -> None:
    for m in missing[:_MAX_SHOWN]:
        where = "in this machine's store: `pycomfy archive fill`" if m.here else f"from {m.need.origin}"
        print(f"missing: {m.need.title}, for {', '.join(m.labels[:3])}{' …' * (len(m.labels) > 3)}; {where}")
    if len(missing) > _MAX_SHOWN:
        print(f"  and {len(missing) - _MAX_SHOWN} more")


def _missing(missing: MissingRequisite) -> dict[str, object]:
    need = missing.need
    return {
        "path": need.path,
        "title": need.title,
        "origin": need.origin,
        "versions": list(missing.labels),
        "in_store": missing.here,
    }


def _removed(removed: Removed) -> dict[str, object]:
    return {"paths": removed.paths, "size": removed.size}
