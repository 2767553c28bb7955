"""Render fixes of errors as commands of this command line."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pycomfy.cli.shell import quote
from pycomfy.errors import Argument, Fix, Fixes, Placeholder, list_fixes

if TYPE_CHECKING:
    from pycomfy.services.results import Note

RETRY = "retry"


def with_fixes(text: str, fixes: Fixes) -> str:
    """Return a remark, followed by its fixes."""
    rendered = render_fixes(fixes)
    return f"{text}: {rendered}" if rendered else text


def render_fixes(fixes: Fixes) -> str:
    """Return all alternatives in one line."""
    return "; or ".join(render_all(fixes))


def render_note(note: "Note") -> str:
    """Return a note of a result, with its fixes."""
    return f"{note.text} ({render_fixes(note.fixes)})" if note.fixes else note.text


def render_all(fixes: Fixes) -> list[str]:
    """Return each alternative as a line of text."""
    return [render(one) for one in list_fixes(fixes)]


def render(fix: str | Fix) -> str:
    """Return advice in words as it is, and an action as the command that does it, safe to paste into a shell."""
    if isinstance(fix, str):
        return fix
    if fix.action == RETRY:
        text = _render_retry(fix)
    else:
        text = " ".join(["pycomfy", fix.action, *_words(find_command(fix.action), fix)])
    return f"{text} ({fix.note})" if fix.note else text


def find_command(action: str) -> Any:
    """Return the command with that name, as Typer's object. Raises `KeyError` if there is none."""
    from pycomfy.cli.commands import load_command  # imported late: few commands have a fix to render

    return load_command(action)


def _render_retry(fix: Fix) -> str:
    """What to add to the command that was called, or to leave out. In words where no command was called, or one that
    does not have these parameters: an error must be shown in any case."""
    try:
        command = find_command(_current_command())
    except KeyError:
        return f"again {Fix('with', fix.arguments)}"
    if fix.arguments.keys() - {p.name for p in command.params}:
        return f"again {Fix('with', fix.arguments)}"
    add = [" ".join(_words(command, Fix(RETRY, {n: v}))) for n, v in fix.arguments.items() if v is not False]
    omit = [_option_name(command, name) for name, value in fix.arguments.items() if value is False]
    parts = [f"with {' '.join(add)}"] * bool(add) + [f"without {' '.join(omit)}"] * bool(omit)
    return " ".join(["again", *parts])


def name_option(argument: str) -> str:
    """Return what the command that was called calls a parameter: `--to`, or `FILE`."""
    return _option_name(find_command(_current_command()), argument)


def _option_name(command: Any, argument: str) -> str:
    parameter = next((p for p in command.params if p.name == argument), None)
    if parameter is None:
        return f"--{argument.replace('_', '-')}"
    return str(max(parameter.opts, key=len)) if parameter.param_type_name == "option" else str(parameter.metavar)


def _current_command() -> str:
    """The name of the command that was called."""
    from pycomfy.cli.commands import GROUPS

    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    return " ".join(words[: 2 if words and words[0] in GROUPS else 1])


def _words(command: Any, fix: Fix) -> list[str]:
    """The fix's arguments: first positional ones in the order of the command, with the name of each that is required
    and not known, then options. Raises `KeyError` for an argument that the command does not have."""
    unknown = fix.arguments.keys() - {p.name for p in command.params}
    if unknown:
        raise KeyError(f"{fix.action} has no {', '.join(sorted(unknown))}")
    values: list[str | int | bool | Placeholder] = []
    options: list[str] = []
    for parameter in command.params:
        value = fix.arguments.get(parameter.name)
        if parameter.param_type_name == "option":
            options += _option(parameter, value) if value is not None else ()
        elif value is not None:
            values += value if isinstance(value, tuple) else (value,)
        elif parameter.required and fix.action != RETRY:
            values.append(Placeholder(str(parameter.metavar or parameter.name.upper())))
    if any(str(value).startswith("-") for value in values):
        return [*options, "--", *map(_word, values)]  # or it would be taken for an option
    return [*map(_word, values), *options]


def _option(parameter: Any, value: Argument) -> Iterator[str]:
    name = max(parameter.opts, key=len)
    if parameter.is_flag:
        yield name if value else max(parameter.secondary_opts or [f"(without {name})"], key=len)
        return
    for one in value if isinstance(value, tuple) else (value,):
        yield name
        yield _word(one)


def _word(value: str | int | bool | Placeholder) -> str:
    return value.name if isinstance(value, Placeholder) else quote(str(value))
