"""Find the one workflow in the fenced blocks of a Markdown text."""

import re
from collections.abc import Iterator

from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.core.workflow.wrappers import Candidate, choose, list_candidates
from pycomfy.errors import BadWorkflow

_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})([^`]*)$")
FIX = "give a text with the JSON of one workflow between lines of ```, or the JSON itself"


def has_fence(text: str) -> bool:
    """Return whether a text has a fenced block."""
    return any(_FENCE.match(line) for line in text.split("\n"))


def find_in_markdown(text: str, *, where: str) -> bytes:
    """Return the JSON of the one workflow in the fenced blocks of `text`. Raises `BadWorkflow` if there is none, or
    several different ones, which it names by their lines."""
    blocks: dict[str, str] = {}
    candidates: list[Candidate] = []
    problems: list[BadWorkflow] = []
    for line, block in _list_blocks(text):
        if not block.lstrip().startswith("{"):
            continue
        name = f"line {line}"
        try:
            found = list_candidates(parse_json(block, where=f"{name} of {where}"), where)
        except BadWorkflow as e:
            problems.append(e)
            continue
        blocks[name] = block
        candidates += [Candidate(name, name, c.graph) for c in found]
    chosen = choose(candidates, where)
    if chosen is not None:
        return blocks[chosen.name].strip().encode(errors="replace")
    raise problems[0] if problems else BadWorkflow("no workflow in this Markdown file", where=where, fix=FIX)


def _list_blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield each fenced block, with the number of its first line. One that is not closed ends with the text."""
    fence, start, lines = "", 0, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        match = _FENCE.match(line)
        if not fence:
            if match is not None:
                fence, start, lines = match[1], number + 1, []
        elif match is not None and match[1].startswith(fence) and not match[2].strip():
            yield start, "\n".join(lines)
            fence = ""
        else:
            lines.append(line)
    if fence:
        yield start, "\n".join(lines)
