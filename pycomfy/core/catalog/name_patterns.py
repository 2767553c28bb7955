r"""Match the patterns of node names in the Manager's map, in linear time.

They are untrusted, and Python's `re` can be made to run for hours. So no pattern reaches it: only what the map uses is
supported, namely text, `\` before a sign, `^`, `$`, `.*`, `(…)` and `|`. Any other pattern matches nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple

MAX_CHARACTERS = 300
MAX_ALTERNATIVES = 64
MIN_CHARACTERS = 3
"""The fewest literal characters in a useful pattern: fewer match every other name."""

_SPECIAL = frozenset(".*+?[]{}")
"""Signs with a special meaning that is not supported, among them a quantifier after a group or sign."""


class _Alternative(NamedTuple):
    """Pieces of text in this order, with anything between them, anchored at the `start` or `end` of a name."""

    pieces: tuple[str, ...] = ("",)
    start: bool = False
    end: bool = False

    def then(self, other: "_Alternative") -> "_Alternative":
        """Return this alternative followed directly by another one."""
        joined = (*self.pieces[:-1], self.pieces[-1] + other.pieces[0], *other.pieces[1:])
        return _Alternative(joined, self.start or other.start, self.end or other.end)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A supported pattern; `matches` finds it anywhere in a name, as the Manager does."""

    alternatives: tuple[_Alternative, ...]

    def matches(self, name: str) -> bool:
        """Return whether one of the alternatives is in a name."""
        return any(_matches(a, name) for a in self.alternatives)

    @property
    def texts(self) -> tuple[str, ...]:
        """The literal text of each alternative."""
        return tuple("".join(alternative.pieces) for alternative in self.alternatives)


def parse_pattern(text: str) -> Pattern | None:
    """Return the pattern; None for one that is not supported, or that has too few literal characters."""
    if len(text) > MAX_CHARACTERS:
        return None
    found = _alternatives(text, 0, 0)
    if found is None or found[1] != len(text):
        return None
    alternatives = found[0]
    if any(sum(map(len, a.pieces)) < MIN_CHARACTERS for a in alternatives):
        return None
    return Pattern(tuple(alternatives))


def _alternatives(text: str, at: int, depth: int) -> tuple[list[_Alternative], int] | None:
    """The alternatives from `at` to the end or to the `)` that closes this group, and the position of that."""
    done: list[_Alternative] = []
    current = [_Alternative()]
    fresh = True  # `^` makes sense only as the first sign, `$` only as the last
    while at < len(text) and text[at] != ")":
        sign = text[at]
        step: list[_Alternative]
        if sign == "|":
            done, current, fresh, at = done + current, [_Alternative()], True, at + 1
            continue
        if sign == "^":
            if not fresh:
                return None
            step, at = [_Alternative(start=True)], at + 1
        elif sign == "$":
            if text[at + 1 : at + 2] not in ("", "|", ")"):
                return None
            step, at = [_Alternative(end=True)], at + 1
        elif sign == "(":
            inner = _alternatives(text, at + 1, depth + 1) if depth < 5 else None
            if inner is None or text[inner[1] : inner[1] + 1] != ")":
                return None
            step, at = inner[0], inner[1] + 1
            # Anchors in a group make sense only at the outer edges.
            if (any(a.start for a in step) and not fresh) or (any(a.end for a in step) and at < len(text)):
                return None
        elif text.startswith(".*", at):
            step, at = [_Alternative(("", ""))], at + 2
        elif sign == "\\":
            if text[at + 1 : at + 2].isalnum() or at + 1 == len(text):
                return None
            step, at = [_Alternative((text[at + 1],))], at + 2
        elif sign in _SPECIAL:
            return None
        else:
            step, at = [_Alternative((sign,))], at + 1
        current = [a.then(b) for a in current for b in step]
        fresh = False
        if len(current) + len(done) > MAX_ALTERNATIVES:
            return None
    return done + current, at


def _matches(alternative: _Alternative, name: str) -> bool:
    pieces = list(alternative.pieces)
    if len(pieces) == 1 and alternative.start and alternative.end:
        return name == pieces[0]
    at, end = 0, len(name)
    if alternative.end:
        last = pieces.pop()
        if not name.endswith(last):
            return False
        end -= len(last)
    if alternative.start and pieces:
        first = pieces.pop(0)
        if not name.startswith(first) or len(first) > end:
            return False
        at = len(first)
    for piece in pieces:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
