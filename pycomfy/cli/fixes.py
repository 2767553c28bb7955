"""Render fixes of errors as commands of this command line."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycomfy.cli.shell import quote, render_command
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
    return "; or ".join(map(render, list_fixes(fixes)))


def render_note(note: "Note") -> str:
    """Return a note of a result, with its fixes."""
    return f"{note.text} ({render_fixes(note.fixes)})" if note.fixes else note.text


def render_all(fixes: Fixes) -> list[tuple[str, ...]]:
    """Return each alternative as its lines. The note of an action is on a line of its own, so that the first line can
    be copied."""
    return [tuple(_render(fix)) for fix in list_fixes(fixes)]


def render(fix: str | Fix) -> str:
    """Return advice in words as it is, and an action as the command that does it, safe to paste into a shell; its note
    follows in parentheses."""
    return " ".join(_render(fix))


def find_command(action: str) -> Any:
    """Return the command with that name, as Typer's object. Raises `KeyError` if there is none."""
    from pycomfy.cli.commands import load_command  # imported late: few commands have a fix to render

    return load_command(action)


def name_option(argument: str) -> str:
    """Return what the command that was called calls a parameter: `--to`, or `FILE`."""
    return _option_name(_find_called(), argument)


def _render(fix: str | Fix) -> Iterator[str]:
    if isinstance(fix, str):
        yield fix
        return
    yield _render_retry(fix) if fix.action == RETRY else _render_command(fix.action, fix.arguments)
    if fix.note:
        yield f"({fix.note})"


def _render_command(action: str, arguments: Mapping[str, Argument]) -> str:
    command = find_command(action)
    unknown = arguments.keys() - {p.name for p in command.params}
    if unknown:
        raise KeyError(f"{action} has no {', '.join(sorted(unknown))}")
    return " ".join(["pycomfy", action, *_words(command, arguments, required=True)])


def _render_retry(fix: Fix) -> str:
    """What to add to the command that was called, or to leave out. Where that one does not have these parameters, such
    as `build` when it locks, the command of the fix's use case; in words if it has none: an error must be shown in any
    case."""
    command, arguments = _find_called(), fix.arguments
    if command is not None and (line := _render_replaced(command, arguments)) is not None:
        return line
    if command is None or not _accepts(command, arguments):
        if not fix.use_case:
            return f"again {Fix('with', arguments)}"
        return _render_command(fix.use_case, {n: v for n, v in arguments.items() if v is not False})
    omit = [p for p in command.params if arguments.get(p.name) is False and not p.secondary_opts]
    add = {name: value for name, value in arguments.items() if name not in {p.name for p in omit}}
    parts = ["again"]
    parts += ["with", *_words(command, add, required=False)] if add else []
    parts += ["without", *(_option_name(command, p.name) for p in omit)] if omit else []
    return " ".join(parts)


def _render_replaced(command: Any, arguments: Mapping[str, Argument]) -> str | None:
    """The command line that was called, with another value for its positional argument; None where that is not all.
    What is `workflow` for services, some commands call by another name."""
    positional = [p.name for p in command.params if p.param_type_name == "argument"]
    (name, value), *others = arguments.items()
    if others or len(positional) != 1 or name not in (*positional, "workflow") or not isinstance(value, str):
        return None
    words = sys.argv[1:]
    start = words.index(command.name.split()[-1]) + 1
    given = command.make_context(command.name, words[start:], resilient_parsing=True).params.get(positional[0])
    old = given if isinstance(given, list | tuple) else [given]
    at = [n for n in range(start, len(words)) if len(old) == 1 and Path(words[n]) == Path(str(old[0]))]
    if len(at) != 1 or value.startswith("-"):
        return None
    words[at[0]] = value
    return render_command(("pycomfy", *words))


def _find_called() -> Any:
    """The command that was called; None if there is none with that name, such as where no command was."""
    from pycomfy.cli.commands import GROUPS

    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    try:
        return find_command(" ".join(words[: 2 if words and words[0] in GROUPS else 1]))
    except KeyError:
        return None


def _accepts(command: Any, arguments: Mapping[str, Argument]) -> bool:
    return arguments.keys() <= {p.name for p in command.params}


def _option_name(command: Any, argument: str) -> str:
    parameter = next((p for p in command.params if p.name == argument), None) if command is not None else None
    if parameter is None:
        return f"--{argument.replace('_', '-')}"
    return str(max(parameter.opts, key=len)) if parameter.param_type_name == "option" else str(parameter.metavar)


def _words(command: Any, arguments: Mapping[str, Argument], *, required: bool) -> Iterator[str]:
    """The arguments in the order of the command: positional ones first, with `required` the names of those that are
    required and not known too; then options. If a positional one looks like an option, they come last, after `--`."""
    positional: list[str] = []
    options: list[str] = []
    for parameter in command.params:
        value = arguments.get(parameter.name)
        if parameter.param_type_name == "option":
            options += _option(parameter, value) if value is not None else ()
        elif value is not None:
            positional += map(str, _list(value))
        elif required and parameter.required:
            positional.append(str(parameter.metavar or parameter.name.upper()))
    if any(word.startswith("-") for word in positional):
        yield from (*options, "--", *map(quote, positional))
    else:
        yield from (*map(quote, positional), *options)


def _option(parameter: Any, value: Argument) -> Iterator[str]:
    """The option with each of its values. False is a flag that is not given, or the one that switches it off."""
    name = str(max(parameter.opts, key=len))
    if value is False:
        yield from [max(parameter.secondary_opts, key=len)] if parameter.secondary_opts else []
    elif parameter.is_flag:
        yield name
    else:
        yield from (f"{name} {quote(str(one))}" for one in _list(value))


def _list(value: Argument) -> tuple[str | int | bool | Placeholder, ...]:
    return value if isinstance(value, tuple) else (value,)
