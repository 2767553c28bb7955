"""`pycomfy users`: who may use a studio that several people share, and what they did."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line, print_rows

if TYPE_CHECKING:
    from pycomfy.services.users import AuditEntry, UserEntry

app = typer.Typer(
    help="Say who may use the studio when it is for several people, and see what they did.",
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
_Auth = Annotated[Path, typer.Option(metavar="FILE", help="The file of users, which `pycomfy serve --auth` reads.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]


@app.command()
def add(
    name: _Name,
    auth: _Auth,
    role: Annotated[
        Literal["view", "run", "build"],
        typer.Option(help="view: see everything; run: run what was built; build: everything else, too."),
    ] = "view",
    key: Annotated[bool, typer.Option("--key/--no-key", help="Without a key: for one whom a proxy names.")] = True,
    as_json: _Json = False,
) -> None:
    """Add a user, and print their key: once, as only its hash is kept.

    The file is made if it is missing. A server that runs reads it again.

    Example: `pycomfy users add anna --role run --auth users.toml`
    """
    from pycomfy.services.users import add_user
    from pycomfy.services.workspace import Workspace

    added = add_user(Workspace.open(), auth, name, role, with_key=key)
    if as_json:
        print_json(added)
    elif added.key is not None:
        print_line(added.key)
        print_line(f"the key of {added.name}, who may {added.role}; it is not shown again", error=True)
    else:
        print_line(f"{added.name} may {added.role}")


@app.command()
def rm(name: _Name, auth: _Auth) -> None:
    """Remove a user; what they have open ends.

    Example: `pycomfy users rm anna --auth users.toml`
    """
    from pycomfy.services.users import remove_user

    remove_user(auth, name)
    print_line(f"removed {name}", error=True)


@app.command("list")
def list_(auth: _Auth, as_json: _Json = False) -> None:
    """List the users, with their roles.

    Example: `pycomfy users list --auth users.toml`
    """
    from pycomfy.services.users import list_users

    users = list_users(auth)
    if as_json:
        print_json(users)
    else:
        print_rows(users, ("name", "role", "key", "added"), cells=_user, plain=_user)


@app.command()
def log(
    count: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="How many at most.")] = 100,
    as_json: _Json = False,
) -> None:
    """Show who did what with a studio of several people, newest first.

    Example: `pycomfy users log`
    """
    from pycomfy.services.users import list_audit
    from pycomfy.services.workspace import Workspace

    entries = list_audit(Workspace.open(), count)
    if as_json:
        print_json(entries)
    elif entries:
        titles = ("at", "user", "role", "from", "status", "request", "what")
        print_rows(entries, titles, cells=_entry, plain=_entry, wrap=("what",))
    else:
        print_line("nobody did anything yet", error=True)


def _user(user: "UserEntry") -> tuple[str, ...]:
    return user.name, user.role, "yes" if user.has_key else "-", user.added_at


def _entry(entry: "AuditEntry") -> tuple[str, ...]:
    return (
        entry.at,
        entry.user or "-",
        entry.role or "-",
        entry.address,
        str(entry.status),
        entry.action,
        entry.what or "-",
    )
