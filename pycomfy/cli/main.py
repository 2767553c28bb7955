"""Run the command line: start the command that was called, and turn what happens into output and an exit status."""

import errno
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from pycomfy import __version__
from pycomfy.adapters.io.atomic_files import explain_os_error
from pycomfy.adapters.io.process import signals_as_exceptions
from pycomfy.cli.commands import LazyGroup
from pycomfy.cli.completion import join_words
from pycomfy.cli.exit_status import INTERRUPTED, OUR_BUG, SIGNALLED, USAGE_ERROR, USER_ERROR
from pycomfy.cli.progress import DeferredProgress
from pycomfy.cli.prompt import find_asker
from pycomfy.cli.terminal import be_quiet, is_quiet, make_console, print_line, print_text
from pycomfy.errors import BadArgument, BadInput, NoSpace, NotFound, PycomfyError
from pycomfy.operation import Cancelled, Operation

ClickException: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""The root of usage errors, as Typer knows it: newer versions of Typer contain a Click of their own."""

app = typer.Typer(
    name="pycomfy",
    cls=LazyGroup,
    help="Turn a ComfyUI workflow into a pinned, bit-reproducible CUDA image with a typed API.\n\n"
    "`pycomfy COMMAND --help` describes a command, with examples.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(value: bool) -> None:
    if value:
        print_line(f"pycomfy {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print results and errors alone. Every command has it, too.")
    ] = False,
) -> None:
    if quiet:
        be_quiet()


def main() -> None:
    """Run the command line, and exit: 0 done, 1 an error that the user can fix, 2 usage, 3 a check failed, 70 our
    bug."""
    try:
        _replace_what_cannot_be_encoded()
        with signals_as_exceptions():
            sys.exit(_run())
    except (typer.Abort, KeyboardInterrupt, Cancelled):
        _print_interrupted()
        sys.exit(INTERRUPTED)
    except SystemExit as e:
        if isinstance(e.code, int) and e.code > SIGNALLED:
            _print_interrupted()
        raise
    finally:
        _flush_output()


def _replace_what_cannot_be_encoded() -> None:
    """Let a terminal or log that is not UTF-8 show `?` for a character that it does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _run() -> int:
    """Return the exit status of the command; errors are printed."""
    try:
        join_words()
        be_quiet(False)
        with _make_operation().running() as operation:
            status = app(standalone_mode=False)
        sys.stdout.flush()
        for error in operation.errors if is_quiet() else ():
            _print_error_text(error)  # as it was not shown with the progress
        return (status if isinstance(status, int) else 0) or (USER_ERROR if operation.errors else 0)
    except ClickException as e:
        return _print_usage_error(e)
    except BadArgument as e:
        from pycomfy.cli.fixes import name_option

        return _print_usage_error(typer.BadParameter(e.what, param_hint=name_option(e.argument)))
    except PycomfyError as e:
        lost = isinstance(e, NotFound) and not Path(e.where).is_absolute() and not _has_working_folder()
        _print_error(_explain_working_folder() if lost else e)
        return USER_ERROR
    except BrokenPipeError:
        # `pycomfy … | head`: the reader has enough.
        _drop_output()
        return 0
    except OSError as e:
        explained = _explain(e)
        if explained is None:
            return _print_bug()
        _print_error(explained)
        return USER_ERROR
    except Exception:  # noqa: BLE001  (anything else is a bug of ours)
        return _print_bug()


def _make_operation() -> Operation:
    """Progress goes to standard error; questions only to a person at a terminal, never to a program."""
    return Operation(DeferredProgress(), ask=None if "--json" in sys.argv else find_asker())


def _print_error(error: PycomfyError) -> None:
    """Print the error on stderr for a person; with `--json`, also on stdout for a program."""
    from pycomfy.cli.errors import print_error, print_json_error  # imported late: most commands succeed

    if "--json" in sys.argv:
        print_json_error(error)
    print_error(error)


def _print_error_text(error: PycomfyError) -> None:
    from pycomfy.cli.errors import print_error

    print_error(error)


def _print_usage_error(error: Any) -> int:
    text = io.StringIO()
    error.show(text)
    print_text(text.getvalue().removesuffix("\n"), error=True)
    return USAGE_ERROR


def _print_bug() -> int:
    make_console(sys.stderr).print_exception()
    print_text("\nThis is a bug in pycomfy. Please report it with the lines above.", error=True)
    return OUR_BUG


def _print_interrupted() -> None:
    print_text("interrupted: nothing was left half-done", error=True)


def _explain(error: OSError) -> PycomfyError | None:
    """The error for something that no program can help; None for what is a bug of ours."""
    if isinstance(error, FileNotFoundError) and not _has_working_folder():
        return _explain_working_folder()
    return explain_os_error(error, Path(tempfile.gettempdir())) if error.filename else _explain_output(error)


def _explain_working_folder() -> PycomfyError:
    """The error for a name that nothing has, since the folder that it is in was deleted."""
    fix = "change to a folder that is there, such as: cd"
    return NotFound("the working folder was deleted", where="the folder in which pycomfy was called", fix=fix)


def _has_working_folder() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _explain_output(error: OSError) -> PycomfyError | None:
    """The error for standard output on a disk that is full or gone. Errors of other files are explained where those
    are written."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return None
    kind = BadInput if error.errno == errno.EIO else NoSpace
    fix = "send the output to another file or disk, or free some space"
    where = f"standard output, or a temporary file in {tempfile.gettempdir()}"
    return kind(f"it cannot be written: {error.strerror}", where=where, fix=fix)


def _flush_output() -> None:
    """Flush stdout; drop what cannot be written, or Python would report it when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
