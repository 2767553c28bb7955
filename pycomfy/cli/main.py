"""The command line: one command per verb, and how their errors are shown."""

import contextlib
import errno
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pycomfy import __version__
from pycomfy.adapters.io.atomic_files import explain_os_error
from pycomfy.adapters.io.process import signals_as_exceptions
from pycomfy.cli.progress import DeferredProgress
from pycomfy.cli.prompt import find_asker
from pycomfy.errors import BadInput, NoSpace, PycomfyError
from pycomfy.operation import Cancelled, Operation

PANELS = {
    "From a workflow to its pictures": ("inspect", "convert", "lock", "build", "check", "run"),
    "What it is made of": ("capture", "catalog", "models"),
    "Versions": ("log", "show", "diff", "tag", "branch", "checkout", "revert", "rename", "rm", "push", "pull"),
    "Keep them for ever": ("archive", "restore", "verify", "export", "import", "reindex"),
}
"""Each command is a module of this package with a function of its name; a word of Python's has a `_` at its end."""

GROUPS = ("catalog", "models", "archive")
"""Of these, the module has an `app` of several commands."""

_PANEL_OF = {name: title for title, names in PANELS.items() for name in names}

USER_ERROR, USAGE_ERROR, OUR_BUG = 1, 2, 70
SIGNALLED = 128  # and the signal's number
INTERRUPTED = SIGNALLED + signal.SIGINT

WronglyCalled: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Click's root of usage errors, as Typer knows it: newer ones bring a Click of their own."""


def _load(name: str) -> Any:
    """A command, or a group of them, as Typer's object."""
    if name in GROUPS:
        inner = import_module(f"pycomfy.cli.{name}").app
    else:
        own = f"{name}_" if iskeyword(name) else name
        inner = typer.Typer(rich_markup_mode="markdown", add_completion=False)
        inner.command(name)(getattr(import_module(f"pycomfy.cli.{own}"), own))
    command: Any = typer.main.get_command(inner)
    command.name = name
    command.rich_help_panel = _PANEL_OF[name]
    return command


def load_command(words: str) -> Any:
    """A command by its words ("lock", "archive pull"), as Typer's object. Raises `KeyError` if there is none."""
    name, _, member = words.partition(" ")
    if name not in _PANEL_OF or (name in GROUPS) != bool(member):
        raise KeyError(words)
    command = _load(name)
    return command.commands[member] if member else command


class _Loaded(dict[str, Any]):
    """The commands by name, each imported when it is asked for: a call needs one, and imports are what it waits for."""

    def __missing__(self, name: str) -> Any:
        if name not in _PANEL_OF:
            raise KeyError(name)
        self[name] = _load(name)
        return self[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in _PANEL_OF else default

    def __iter__(self) -> Iterator[str]:
        return iter(_PANEL_OF)

    def __len__(self) -> int:
        return len(_PANEL_OF)

    def keys(self) -> Any:
        return tuple(_PANEL_OF)

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        return [self[name] for name in self]


class _Group(TyperGroup):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.commands = _Loaded()


app = typer.Typer(
    name="pycomfy",
    cls=_Group,
    help="Turn a ComfyUI workflow into a pinned, bit-reproducible CUDA image with a typed API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        print(f"pycomfy {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the CLI. Exit 0 done, 1 an error the user can mend, 2 usage, 3 a check said no, 70 our bug."""
    try:
        with signals_as_exceptions():
            sys.exit(_run())
    except (typer.Abort, KeyboardInterrupt, Cancelled):
        _say_interrupted()
        sys.exit(INTERRUPTED)
    except SystemExit as e:
        if isinstance(e.code, int) and e.code > SIGNALLED:
            _say_interrupted()
        raise
    finally:
        _settle_output()


def _run() -> int:
    """The exit status of the command; errors are shown."""
    try:
        with _operation().running():
            status = app(standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except WronglyCalled as e:
        e.show()
        return USAGE_ERROR
    except PycomfyError as e:
        show_error(e)
        return USER_ERROR
    except BrokenPipeError:
        # `pycomfy … | head`: the reader has enough.
        _drop_output()
        return 0
    except OSError as e:
        explained = explain_os_error(e, Path(tempfile.gettempdir())) if e.filename else _explain_output(e)
        if explained is None:
            return _show_bug()
        show_error(explained)
        return USER_ERROR
    except Exception:  # noqa: BLE001  (whatever else it is, it is ours)
        return _show_bug()


def _operation() -> Operation:
    """Progress on standard error; questions where somebody sits at a terminal, but none to a program."""
    return Operation(DeferredProgress(), ask=None if "--json" in sys.argv else find_asker())


def _show_bug() -> int:
    from rich.console import Console  # whoever has no error to show is spared the import

    Console(stderr=True).print_exception()
    print("\nThis is a bug in pycomfy. Please report it with the lines above.", file=sys.stderr)
    return OUR_BUG


def _say_interrupted() -> None:
    print("interrupted: nothing was left half-done", file=sys.stderr)


def _explain_output(error: OSError) -> PycomfyError | None:
    """Standard output on a full disk, or its disk gone. What we write elsewhere is told apart where it is written."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return None
    kind = BadInput if error.errno == errno.EIO else NoSpace
    fix = "send the output to another file or disk, or free some space"
    where = f"standard output, or a temporary file in {tempfile.gettempdir()}"
    return kind(f"it cannot be written: {error.strerror}", where=where, fix=fix)


def _settle_output() -> None:
    """What cannot be written goes nowhere, so that Python does not complain of it when it leaves."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_error(error: PycomfyError) -> None:
    """The error on stderr for a person; with `--json`, also on stdout for a program."""
    if "--json" in sys.argv:
        from pycomfy.cli.fixes import render

        with contextlib.suppress(OSError):
            print(json.dumps({"error": error.as_dict(render)}, ensure_ascii=False))
    from pycomfy.cli.errors import tell  # likewise

    tell(error)


if __name__ == "__main__":
    main()
