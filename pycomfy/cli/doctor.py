"""`pycomfy doctor`: what is installed, reachable and healthy on this machine."""

import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pycomfy.cli.exit_status import CHECK_FAILED
from pycomfy.cli.fixes import render
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import find_console, print_line, split_lines
from pycomfy.core.printable import printable

if TYPE_CHECKING:
    from pycomfy.services.doctor.findings import DoctorResult, Finding

TITLES = {
    "pycomfy": "pycomfy",
    "machine": "This machine",
    "programs": "Programs",
    "engine": "Container engine",
    "gpu": "GPU",
    "network": "Network",
    "disk": "Disk space",
    "data": "Data folder",
}
MARKS = {"ok": "✓", "note": "•", "warning": "!", "problem": "✗", "unknown": "?", "skipped": "-"}
ASCII_MARKS = {**MARKS, "ok": "+", "note": ".", "problem": "x"}
STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red", "unknown": "magenta"}
_COUNTED = {"problem": "problems", "warning": "warnings", "unknown": "unknown", "note": "notes", "skipped": "skipped"}
_WIDEST = 26


class Line(NamedTuple):
    """A line of output: a mark or a label in a `style`, and text. Where it has to go on in the next line, it does so
    `hang` columns further to the right; a text that does not `wrap` can be copied."""

    indent: int
    label: str
    style: str
    text: str
    hang: int = 0
    wrap: bool = True


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask no server.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show details and advice where nothing is wrong, too.")
    ] = False,
    engine: Annotated[str | None, typer.Option(metavar="podman|docker", help="The container engine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Check that this machine has what pycomfy needs: programs, disk, network, data.

    Each finding has a mark, and what is wrong has its fix below it: ✓ in order, • worth knowing, ! does not work or
    will not for long, ✗ a problem, ? could not be found out. Exit 0 if there is no problem, 3 if there is one. Nothing
    is changed, and nothing is made; servers get the requests that other commands send.

    Examples: `pycomfy doctor`, `pycomfy doctor --offline --verbose`, `pycomfy doctor --json`
    """
    from pycomfy.services.doctor.doctor import doctor as examine
    from pycomfy.services.workspace import Workspace

    result = examine(Workspace.open(engine=engine), offline=offline)
    if as_json:
        print_json(result)
    else:
        show(result, verbose=verbose)
    return 0 if result.ok else CHECK_FAILED


def show(result: "DoctorResult", *, verbose: bool = False) -> None:
    """Print the findings: wrapped and in colours on a terminal; elsewhere a line for each, whatever its length."""
    console = find_console()
    lines = list(render_result(result, marks=_find_marks(), verbose=verbose))
    if console is None:
        for line in lines:
            print_line(f"{' ' * line.indent}{line.label}{line.text}")
        return
    from rich.text import Text

    for line in lines:
        margin = " " * (line.indent + len(line.label) + line.hang)
        line = line._replace(text=printable(line.text))
        text = Text(" " * line.indent).append(line.label, line.style)
        text.append(_wrap(line, margin, console.width) if line.wrap else line.text, line.style * (not line.label))
        console.print(text, soft_wrap=True)


def _wrap(line: Line, margin: str, width: int) -> str:
    """Return the text in as many rows as it takes; words stay whole, and so do paths."""
    first = " " * (line.indent + len(line.label))
    filled = textwrap.fill(
        line.text,
        max(width, len(margin) + 20),
        initial_indent=first,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled[len(first) :]


def _find_marks() -> dict[str, str]:
    """Return marks that standard output can show."""
    try:
        "".join(MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_MARKS
    return MARKS


def render_result(result: "DoctorResult", *, marks: dict[str, str], verbose: bool) -> Iterator[Line]:
    """Return the lines for people: a heading for each group, a line for each finding, below what is not in order its
    details and fixes; at the end a summary."""
    for group, members in groupby(result.findings, key=lambda f: f.group):
        findings = list(members)
        yield Line(0, "", "bold", TITLES[group])
        width = min(max(len(f.subject) for f in findings), _WIDEST)
        for number, finding in enumerate(findings):
            following = findings[number + 1] if number + 1 < len(findings) else None
            yield from _render_finding(finding, following, marks[finding.state], width, verbose=verbose)
        yield Line(0, "", "", "")
    yield Line(0, "", "bold", summarise(result))


def _render_finding(
    finding: "Finding", following: "Finding | None", mark: str, width: int, *, verbose: bool
) -> Iterator[Line]:
    """Return the lines of a finding. Where the one below it has the same fix, it is printed there."""
    indent, text = 2, f"{finding.subject:<{width}}  {finding.what}"
    yield Line(indent, f"{mark} ", STYLES.get(finding.state, "dim"), text, hang=width + 2)
    if not (verbose or finding.state in ("warning", "problem", "unknown", "note")):
        return
    if verbose or finding.state in ("warning", "problem", "unknown"):
        for row in split_lines(finding.details):
            yield Line(indent + 4, "| ", "dim", row)
    if following is None or following.state != finding.state or following.fix != finding.fix:
        for count, fix in enumerate(finding.fix):
            label = "fix: " if count == 0 else "or:  "
            yield Line(indent + 4, label, "dim", render(fix), wrap=isinstance(fix, str))


def summarise(result: "DoctorResult") -> str:
    """Return how many findings there are of each kind, the worst first."""
    parts = []
    for state, many in _COUNTED.items():
        count = next((n for s, n in result.counts.items() if s == state), 0)
        if count:
            parts.append(f"{count} {many[:-1] if count == 1 and many.endswith('s') else many}")
    fine = f"{result.counts['ok']} in order"
    return ", ".join([*parts, fine]) if parts else f"everything is in order ({result.counts['ok']} checks)"
