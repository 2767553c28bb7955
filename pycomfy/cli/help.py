"""Format the help of commands as plain text: what a parameter is called, what it does, examples of a call.

Typer's own formatting through rich costs more time than most commands take.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from pycomfy.cli.terminal import be_quiet

_EXAMPLES = re.compile(r"Examples?:")
_MAX_NAME = 28
"""A longer name of a parameter has its description on the next line."""


class HelpCommand(TyperCommand):
    """A command whose help is plain text. It has `--quiet`, as it has `--help`."""

    def get_params(self, ctx: Any) -> list[Any]:
        *params, help_ = super().get_params(ctx)
        return [*params, _quiet_option(), help_]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*(parameter_name(p) for p in self.params if p.param_type_name == "argument"), "[OPTIONS]"]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        text, examples = split_examples(self.help or "")
        self.format_usage(ctx, formatter)
        write_text(formatter, text)
        write_parameters(formatter, self.get_params(ctx))
        write_section(formatter, "Examples" if len(examples) > 1 else "Example", [(e, "") for e in examples])


@cache
def _quiet_option() -> Any:
    app = typer.Typer(add_completion=False)

    @app.command()
    def _command(
        quiet: Annotated[
            bool,
            typer.Option("-q", "--quiet", help="Print results and errors alone.", expose_value=False, callback=_quiet),
        ] = False,
    ) -> None: ...

    option: Any = typer.main.get_command(app)
    return option.params[0]


def _quiet(value: bool) -> None:
    if value:
        be_quiet()


class HelpGroup(TyperGroup):
    """A group of commands, with plain text as help. Its own parameters are flags, such as `--help`."""

    def get_params(self, ctx: Any) -> list[Any]:
        params = super().get_params(ctx)
        for flag in params:
            # Typer imports pydantic to convert None, the default of a flag of its own; False is a bool already.
            flag.default = flag.default or False
        return params

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["COMMAND [OPTIONS]"]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.format_usage(ctx, formatter)
        write_text(formatter, self.help or "")
        self.format_commands(ctx, formatter)
        write_parameters(formatter, self.get_params(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        write_section(formatter, "Commands", [(n, summary(c.help or "")) for n, c in commands.items() if c is not None])


# — what there is to say —


def summary(text: str) -> str:
    """The first line of a docstring."""
    return text.strip().partition("\n")[0]


def split_examples(text: str) -> tuple[str, list[str]]:
    """A docstring without its `Example: …` paragraph, and the commands in that."""
    paragraphs = [p.strip() for p in text.split("\n\n")]
    examples = [p for p in paragraphs if _EXAMPLES.match(p)]
    commands = [" ".join(c.split()) for p in examples for c in re.findall(r"`([^`]+)`", p)]
    return "\n\n".join(p for p in paragraphs if p not in examples), commands


def parameter_name(parameter: Any) -> str:
    """How an argument or an option is given: `FILE`, `[NAME]`, `-o, --output DIR`, `--prove / --no-prove`."""
    if parameter.param_type_name == "argument":
        name = str(parameter.metavar or parameter.name.upper())
        return name if parameter.required or name.startswith("[") else f"[{name}]"
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.secondary_opts:
        return f"{names} / {', '.join(parameter.secondary_opts)}"
    return names if parameter.is_flag else f"{names} {parameter.metavar or parameter.name.upper()}"


def parameter_help(parameter: Any) -> str:
    """What an argument or an option is for, and its default."""
    extra = []
    if parameter.param_type_name == "option":
        if parameter.required:
            extra.append("Required.")
        if parameter.is_flag and parameter.secondary_opts:
            extra.append(f"Default: `{parameter.opts[0] if parameter.default else parameter.secondary_opts[0]}`.")
        elif not parameter.is_flag and parameter.default is not None:
            extra.append(f"Default: `{parameter.default}`.")
    return " ".join([parameter.help or "", *extra])


# — how it is written —


def write_text(formatter: Any, text: str) -> None:
    """Write paragraphs below the usage."""
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(text)


def write_parameters(formatter: Any, parameters: Sequence[Any]) -> None:
    """Write the arguments, and the options."""
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        rows = [(parameter_name(p), parameter_help(p)) for p in parameters if p.param_type_name == kind]
        write_section(formatter, title, rows)


def write_section(formatter: Any, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Write a heading, and a definition in each row; nothing where there is no row."""
    rows = list(rows)
    if not rows:
        return
    formatter.write_paragraph()
    formatter.write_heading(_bold(title))
    with formatter.indentation():
        formatter.write_dl(rows, col_max=_MAX_NAME)


def _bold(text: str) -> str:
    """Bold on a terminal that can show it. `NO_COLOR` is respected."""
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain else f"\x1b[1m{text}\x1b[22m"
