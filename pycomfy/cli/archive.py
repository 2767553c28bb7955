"""`pycomfy archive`: the copies of every source of every version."""

from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.exit_status import CHECK_FAILED
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count, size
from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.services.archive.completeness import MissingSource

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
    from pycomfy.services.archive.archive import status as find_status
    from pycomfy.services.workspace import Workspace

    result = find_status(Workspace.open())
    if as_json:
        print_json(result)
    else:
        versions = count(result.versions, "version")
        models, superfluous = result.models, result.superfluous.size
        print_line(f"{result.folder}: {result.present} of {result.needed} sources of {versions}")
        print_line(f"  size         {size(result.size)}")
        if models.needed:
            print_line(f"  models       {models.present} of {models.needed}; `pycomfy archive fill --models` adds them")
        if superfluous:
            print_line(f"  not needed   {size(superfluous)}; `pycomfy archive gc` removes it")
        _show_missing(result.missing)
    if result.missing:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def fill(models: _Models = False, dry: DryRun = False, as_json: _Json = False) -> None:
    """Put in what the versions need and this machine has.

    Example: `pycomfy archive fill --models`
    """
    from pycomfy.services.archive.archive import fill as fill_archive
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = fill_archive(workspace, models=models)
    if as_json:
        print_json(result)
        return
    print_line(f"{result.added} added, {size(result.size)}")
    for source in result.absent[:_MAX_SHOWN]:
        print_line(f"  not on this machine: {source.title}, from {source.origin}")


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
    from pycomfy.services.archive.archive import verify_archive
    from pycomfy.services.workspace import Workspace

    result = verify_archive(Workspace.open(), repair=repair)
    if as_json:
        print_json(result)
    else:
        for d in result.damage:
            print_line(f"damaged: {d.file}: {d.what}" + (f" ({d.path})" if d.path else ""))
        repaired = f", {result.repaired} repaired" if repair else ""
        print_line(f"{count(result.paths, 'source')}, {size(result.read)} read, {len(result.damage)} damaged{repaired}")
    if len(result.damage) > result.repaired:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def push(url: _Url, dry: DryRun = False, as_json: _Json = False) -> None:
    """Copy every source of every version, and the archived models, to another store: a team's, or a backup.

    Example: `pycomfy archive push s3://team-archive?region=eu-central-1`
    """
    from pycomfy.services.archive.sync import push as push_archive
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = push_archive(workspace, url)
    if as_json:
        print_json(result)
    else:
        print_line(f"{result.pushed} of {result.paths} sources pushed")
        _show_missing(result.missing)


@app.command()
def pull(url: _Url, models: _Models = False, dry: DryRun = False, as_json: _Json = False) -> None:
    """Fetch what the versions need and the archive lacks from another store; every byte is checked.

    Example: `pycomfy archive pull https://archive.example.org`
    """
    from pycomfy.services.archive.sync import pull as pull_archive
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = pull_archive(workspace, url, models=models)
    if as_json:
        print_json(result)
    else:
        print_line(f"{result.pulled} of {result.paths} sources pulled")
        _show_missing(result.missing)


@app.command()
def gc(dry: DryRun = False, as_json: _Json = False) -> None:
    """Remove what no version needs.

    Example: `pycomfy archive gc --dry-run`
    """
    from pycomfy.services.archive.archive import collect_garbage
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = collect_garbage(workspace, dry=dry)
    if as_json:
        print_json(result)
    else:
        print_line(f"{count(result.paths, 'source')}, {size(result.size)}, {'would be ' if dry else ''}removed")


def _show_missing(missing: "tuple[MissingSource, ...]") -> None:
    for m in missing[:_MAX_SHOWN]:
        where = "in this machine's Nix store: `pycomfy archive fill`" if m.in_store else f"from {m.origin}"
        print_line(f"missing: {m.title}, for {', '.join(m.versions[:3])}{' …' * (len(m.versions) > 3)}; {where}")
    if len(missing) > _MAX_SHOWN:
        print_line(f"  and {len(missing) - _MAX_SHOWN} more")
