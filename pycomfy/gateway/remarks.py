"""What node packs print while they are loaded, although they are: warnings, and tracebacks that they caught."""

import re
from collections.abc import Collection, Iterator, Sequence

from .log import CHAIN, COLOUR, is_failure

MOST, LONGEST = 20, 2000
"""Remarks of one pack, and characters of each: the last ones, where a traceback says what happened."""

_WORRIED = re.compile(
    r"\b(warn(ing)?s?|\w*Warning|\w*Error|errors?|fail(ed|ure)?s?|missing|unable|cannot|can't|couldn't|could not|not"
    r" (found|installed|available))\b|no module named",
    re.IGNORECASE,
)
_PATH = re.compile(r"custom_nodes/([^/\s\"':]+)")
_BEGINNING = "Traceback (most recent call"


def find_remarks(lines: Sequence[str], packs: Collection[str]) -> list[dict[str, str]]:
    """The remarks of `packs` in ComfyUI's log, as `{pack, text}`. Whose a line is, is known only where it says so."""
    lines = [COLOUR.sub("", line).rstrip() for line in lines]
    found: dict[str, dict[str, None]] = {}
    for text, last in _pieces(lines):
        pack = _owner(text, packs)
        # A traceback that is followed by its failure is told as that.
        if pack is None or is_failure(text) or (text.startswith(_BEGINNING) and is_failure(last)):
            continue
        texts = found.setdefault(pack, {})
        if len(texts) < MOST:
            texts[text[-LONGEST:]] = None
    return [{"pack": pack, "text": text} for pack, texts in sorted(found.items()) for text in texts]


def _pieces(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Worried lines and whole tracebacks, each with the line after it."""
    at = 0
    while at < len(lines):
        end = _traceback(lines, at)
        if end > at or _WORRIED.search(lines[at]):
            end = max(end, at + 1)
            yield "\n".join(lines[at:end]), lines[end] if end < len(lines) else ""
            at = end
        else:
            at += 1


def _traceback(lines: Sequence[str], at: int) -> int:
    """Where the traceback that begins at `at` ends, with those that follow from it; `at` if there is none."""
    end = at
    while end < len(lines) and lines[end].startswith(_BEGINNING):
        end += 1
        while end < len(lines) and (not lines[end] or lines[end][0] == " "):
            end += 1
        end = min(end + 1, len(lines))  # the exception itself
        after = next((i for i in range(end, len(lines)) if lines[i]), len(lines))
        if after < len(lines) and CHAIN.match(lines[after]):
            end = next((i for i in range(after + 1, len(lines)) if lines[i]), len(lines))
    return end


def _owner(text: str, packs: Collection[str]) -> str | None:
    """The pack that a text names: the last one whose file is in it, else the one whose name is."""
    paths = [str(name) for name in _PATH.findall(text) if name in packs]
    if paths:
        return paths[-1]
    named = [name for name in packs if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE)]
    return max(named, key=len, default=None)
