"""The command line: one command per verb, and how their errors are shown."""

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.console import Console

from pycomfy import __version__
from pycomfy.errors import Problems, PycomfyError

COMMANDS = ("inspect", "convert", "lock", "build", "run", "verify", "log")
"""Each is a module of this package with a function of its name."""

USER_ERROR, USAGE_ERROR, OUR_BUG = 1, 2, 70

WronglyCalled: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Click's root of usage errors, as Typer knows it: newer ones bring a Click of their own."""

app = typer.Typer(
    name="pycomfy",
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


def _command(name: str) -> Callable[..., Any]:
    command: Callable[..., Any] = getattr(import_module(f"pycomfy.cli.{name}"), name)
    return command


for _name in COMMANDS:
    app.command(_name)(_command(_name))


def main() -> None:
    """Run the CLI. Exit 0 done, 1 an error the user can mend, 2 usage, 3 a check said no, 70 our bug."""
    try:
        status = app(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except WronglyCalled as e:
        e.show()
        sys.exit(USAGE_ERROR)
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted: nothing was left half-done", file=sys.stderr)
        sys.exit(130)
    except PycomfyError as e:
        show_error(e)
        sys.exit(USER_ERROR)
    except BrokenPipeError:
        # `pycomfy … | head`: the reader has enough; Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception:  # noqa: BLE001  (whatever else it is, it is ours)
        Console(stderr=True).print_exception()
        print("\nThis is a bug in pycomfy. Please report it with the lines above.", file=sys.stderr)
        sys.exit(OUR_BUG)


def show_error(error: PycomfyError) -> None:
    """The error on stderr for a person; with `--json`, also on stdout for a program."""
    if "--json" in sys.argv:
        print(json.dumps({"error": error.as_dict()}, ensure_ascii=False))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for one in error.problems if isinstance(error, Problems) else (error,):
        console.print("[bold red]error:[/bold red] ", end="")
        console.print(one.what, markup=False)
        for label, text in (("where", one.where), ("fix", one.fix)):
            if text:
                console.print(f"  [dim]{label + ':':<6}[/dim] ", end="")
                console.print(text, markup=False)


if __name__ == "__main__":
    main()
