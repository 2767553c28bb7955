"""Show an inspected workflow to a person."""

import json
from collections import Counter
from collections.abc import Collection
from urllib.parse import urlsplit

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pycomfy.cli.fixes import render_fixes
from pycomfy.cli.progress import count
from pycomfy.cli.terminal import MAX_LINE, name_cell, styled
from pycomfy.core.interface.model import Parameter
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.prompt.lost_values import describe_lost
from pycomfy.core.sentences import shorten
from pycomfy.services.inspect import InspectResult, NodeEntry

_FORMATS = {"ui-0.4": "editor's format 0.4", "ui-1": "editor's format 1", "api": "API format"}

MAX_WIDTH = 1000
"""Of lines for other programs."""

MAX_URL = 200
"""Characters of a URL that a terminal gets as a link."""

MAX_SHOWN = 100
"""Problems that a person gets to see."""


def show(result: InspectResult, console: Console) -> None:
    """Print everything of interest, briefly; what is empty is left out."""
    nodes = result.nodes
    running = sum(n.mode == "runs" for n in nodes)
    left_out = sum(n.mode == "left-out" for n in nodes)
    off = len(nodes) - running - left_out
    head = name_cell(result.name, "bold")
    head.append(f"  {_FORMATS[result.format]}, {count(running, 'node')}", style="dim")
    if off:
        head.append(f" and {off} switched off", style="dim")
    if left_out:
        head.append(f", {left_out} left out (ComfyUI lacks the type, and nothing can be linked to it)", style="dim")
    console.print(head, soft_wrap=not console.is_terminal)
    _show_packs(result, console)
    _show_models(result, console)
    _show_files(result, console)
    _show_interface(result, console)
    _show_problems(result, console)


def _table(console: Console, title: str, *columns: str, long: Collection[str] = ("types", "source", "node")) -> Table:
    """A table with a title; the columns in `long` take several lines where it is too wide."""
    console.print()
    console.print(Text(title, style="bold cyan"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(width=1)
    for column in columns:
        folds = column in long
        table.add_column(column, overflow="fold" if folds else "ellipsis", no_wrap=not folds)
    return table


def _print_table(console: Console, table: Table, *, whole: bool = False) -> None:
    """Print it; elsewhere than on a terminal without the blanks at the ends of lines, and, if `whole`, each row in one
    line."""
    if console.is_terminal:
        console.print(table)
        return
    width = console.width
    console.width = MAX_WIDTH if whole else width
    with console.capture() as capture:
        console.print(table)
    console.width = width
    for line in capture.get().splitlines():
        console.print(Text(line.rstrip()), soft_wrap=True)


def _pack_name(node: NodeEntry) -> tuple[str, str]:
    if node.pack is None:
        return "", ""
    name = node.pack.cnr_id or node.pack.aux_id or ""
    return (COMFYUI if name == "comfy-core" else name), node.pack.version or ""


def _show_packs(result: InspectResult, console: Console) -> None:
    packs: dict[str, Counter[str]] = {}
    versions: dict[str, set[str]] = {}
    for node in result.nodes:
        if node.mode == "runs":
            name, version = _pack_name(node)
            packs.setdefault(name, Counter())[node.type] += 1
            versions.setdefault(name, set()).add(version)
    if not packs:
        return
    names_packs = result.format != "api"
    title = "Nodes" if names_packs else "Nodes (API format does not name their packs)"
    table = _table(console, title, "pack", "types")
    for name in sorted(packs, key=lambda n: (n != COMFYUI, n == "", n)):
        unnamed = "pack not named" if names_packs else "types"
        label = name_cell(name or unnamed, "" if name else "dim italic")
        known = sorted(versions[name] - {""})
        if len(known) == 1:
            label.append_text(styled((f" {known[0][:12]}", "dim")))
        elif known:
            label.append(f" {count(len(known), 'version')}", style="dim")
        types = Text()
        for i, (type_, uses) in enumerate(sorted(packs[name].items())):
            types.append(", " if i else "")
            types.append_text(name_cell(type_))
            types.append(f" ×{uses}" if uses > 1 else "", style="dim")
        table.add_row("", label, types)
    _print_table(console, table)


def _show_models(result: InspectResult, console: Console) -> None:
    if not result.models:
        return
    table = _table(console, "Models", "folder", "name", "source", long=("name",))
    for model in sorted(result.models, key=lambda m: (m.folder or "~", m.name)):
        host = _host(model.url or "")
        source = name_cell(host or "no URL", "dim" if host else "dim italic")
        if model.url and host and len(model.url) <= MAX_URL and model.url.isprintable():
            source.stylize(Style(link=model.url))
        source.append("  sha256" if model.sha256 else "", style="green")
        folder = name_cell(model.folder or "folder unknown", "" if model.folder else "yellow")
        table.add_row("", folder, name_cell(model.name), source)
    _print_table(console, table, whole=True)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _show_files(result: InspectResult, console: Console) -> None:
    if not result.files:
        return
    table = _table(console, "Files it reads", "kind", "name", "node")
    for file in result.files:
        table.add_row(
            "",
            file.kind,
            name_cell(file.name),
            name_cell(f"node {file.node}, {file.input}", "dim"),
        )
    _print_table(console, table)


def _show_interface(result: InspectResult, console: Console) -> None:
    parameters, outputs = result.inputs, result.outputs
    if not (result.exact or (parameters and outputs)):
        console.print()
        missing = "Outputs" if parameters else "Inputs" if outputs else "Inputs and outputs"
        console.print(Text(f"{missing}: none are known from the file alone; --object-info shows them", style="dim"))
    if parameters:
        title = "Inputs" if result.exact else "Inputs (from the file alone; --object-info makes them exact)"
        table = _table(console, title, "name", "type", "default")
        kinds = [_kind(p) for p in parameters]
        room = console.width - max(len(p.name) for p in parameters) - max(len(k) for k in kinds) - 10
        for parameter, kind in zip(parameters, kinds, strict=True):
            default = name_cell(json.dumps(parameter.default, ensure_ascii=False)).plain
            if cell_len(default) > room:
                default = set_cell_size(default, max(room - 1, 8)) + "…"
            table.add_row("", name_cell(parameter.name), kind, Text(default, style="dim"))
        _print_table(console, table)
    if outputs:
        table = _table(console, "Outputs", "name", "kind", "node")
        for output in outputs:
            table.add_row(
                "",
                name_cell(output.name),
                output.kind,
                name_cell(f"node {output.node}, {output.title}", "dim"),
            )
        _print_table(console, table)


def _kind(parameter: Parameter) -> Text:
    kind = name_cell(parameter.type)
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None:
        kind.append(f" {low:g}…{high:g}" if abs(high) < 1e6 else f" {low:g} or more", style="dim")
    elif parameter.choices:
        kind.append(f" of {len(parameter.choices)}", style="dim")
    return kind


def _show_problems(result: InspectResult, console: Console) -> None:
    if result.lost:
        console.print()
        console.print(Text(f"{count(len(result.lost), 'value')} without a place in the prompt", style="bold"))
        for lost in describe_lost(result.lost):
            console.print(styled(shorten(f"  {lost}", MAX_LINE)), soft_wrap=True)
    if not result.problems:
        if result.exact and not result.lost:
            console.print()
            console.print(Text("Nothing is wrong with the graph.", style="green"))
        return
    console.print()
    console.print(Text(count(len(result.problems), "problem"), style="bold red"))
    for problem in result.problems[:MAX_SHOWN]:
        console.print(styled(("  ✗ ", "red"), shorten(problem.what, MAX_LINE)), soft_wrap=True)
        for label, text in (("where", problem.where), ("fix", render_fixes(problem.fixes))):
            if text:
                console.print(styled((f"    {label + ':':<6} ", "dim"), shorten(text, MAX_LINE)), soft_wrap=True)
    if len(result.problems) > MAX_SHOWN:
        console.print(Text(f"  … and {len(result.problems) - MAX_SHOWN:,} more: --json has all"))
