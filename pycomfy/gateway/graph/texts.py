"""Texts as ComfyUI's editor sends them when a workflow is queued: choices, comments, dates, values of other nodes."""

import math
import random
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from .interface import Interface, Parameter, set_values

MAX_NESTING = 50

MAX_EXPANDED = 1_000_000
"""Characters of the values that a text names: many names of a long value would take all memory."""

# fmt: off
SAVE_NODES = frozenset((
    "SaveImage", "SaveImageAdvanced", "SaveSVGNode", "SaveVideo", "SaveAnimatedWEBP", "SaveWEBM", "SaveAudio",
    "SaveAudioMP3", "SaveAudioOpus", "SaveAudioAdvanced", "SaveGLB", "Save3DAdvanced", "SaveGaussianSplat",
    "SavePointCloud", "SaveAnimatedPNG", "CLIPSave", "VAESave", "ModelSave", "LoraSave", "SaveLatent",
))
# fmt: on
"""Nodes for which the frontend replaces `%…%` in `filename_prefix`."""

# In JavaScript, `.` excludes more line ends than in Python.
_LINE = re.compile(r"[^\n\r\u2028\u2029]*")
_COMMENT_START = re.compile(r"/[/*]")
_UNESCAPE = re.compile(r"\\([{}|])")
_REPLACEMENT = re.compile(r"%([^%]+)%")
_FORBIDDEN = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_DATE_PART = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyy?y?")


class TextTooLong(ValueError):
    """A text is too long, or would be with the values that it names. `text` is its beginning."""

    def __init__(self, text: str, what: str = "") -> None:
        more = f"a text of names between % has more than {MAX_EXPANDED:,} characters with their values"
        super().__init__(what or more)
        self.text = text[:50]


def expand_choices(text: str, generator: random.Random, depth: int = 0) -> str:
    """Return the text without comments, with one option of every `{a|b}`, and with `\\{` and the like unescaped."""
    text = remove_comments(text)
    result: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            result.append(text[at : at + 2])
            at += 2
        elif char == "{" and depth < MAX_NESTING:
            options, at = _options(text, at + 1)
            result.append(expand_choices(generator.choice(options), generator, depth + 1))
        else:
            result.append(char)
            at += 1
    return _UNESCAPE.sub(r"\1", "".join(result))


def remove_comments(text: str) -> str:
    """Return the text without `/* … */`, and without `//` and what follows on its line. One pass, whatever the text."""
    kept: list[str] = []
    at, search, closed = 0, 0, True
    while found := _COMMENT_START.search(text, search):
        start, end = found.start(), -1
        if found[0] == "//":
            line = _LINE.match(text, start)
            end = line.end() if line else -1
        elif closed:
            end = text.find("*/", start + 2) + 2
            closed = end > 1
        if end > 1:
            kept.append(text[at:start])
            at = search = end
        else:
            search = start + 1
    return "".join((*kept, text[at:]))


def _options(text: str, at: int) -> tuple[list[str], int]:
    """The options of the block that begins with `{` before `at`, and the position after its `}` or the end of the
    text."""
    options: list[str] = []
    start, depth = at, 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 2
            continue
        if char == "{":
            depth += 1
        elif char == "}":
            if depth == 0:
                return [*options, text[start:at]], at + 1
            depth -= 1
        elif char == "|" and depth == 0:
            options.append(text[start:at])
            start = at + 1
        at += 1
    return [*options, text[start:]], at


def replace_names(text: str, values: Mapping[str, Mapping[str, object]], now: datetime) -> str:
    """Replace `%date:FORMAT%`, and `%Node.widget%` by its value; anything else between `%` stays. Raises
    `TextTooLong`."""

    left = MAX_EXPANDED

    def replaced(match: re.Match[str]) -> str:
        nonlocal left
        found = find(match)
        left -= len(found)
        if left < 0:
            raise TextTooLong(text)
        return found

    def find(match: re.Match[str]) -> str:
        name, *rest = match[1].split(".")
        if len(rest) != 1:
            return format_date(name[5:], now) if name.startswith("date:") else match[0]
        widgets = values.get(name)
        if widgets is None or rest[0] not in widgets:
            return match[0]
        return _FORBIDDEN.sub("_", _as_text(widgets[rest[0]]))

    return _REPLACEMENT.sub(replaced, text)


def _as_text(value: object) -> str:
    """A value as JavaScript converts it to a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number_text(value)
    if isinstance(value, (list, tuple)):
        return ",".join(map(_as_text, value))
    return "[object Object]" if isinstance(value, Mapping) else str(value)


def _number_text(value: float) -> str:
    """A number as JavaScript writes it: Python's digits, but with an exponent only from 1e21 on and below 1e-6."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    digits, exponent = repr(value).split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent):+d}"


def format_date(text: str, now: datetime) -> str:
    """Replace `yyyy yy MM dd hh mm ss`; a single letter is a number without a leading zero."""
    numbers = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(match: re.Match[str]) -> str:
        code = match[0]
        if code == "yyyy":
            return str(now.year)
        if code == "yy":
            return str(now.year)[2:]
        return str(numbers[code[0]]).zfill(len(code)) if code[0] in numbers else code

    return _DATE_PART.sub(part, text)


# — texts that are given to typed inputs —

MAX_CHOICES = 100_000
"""Characters of a text that may have choices in it."""

_MARKED = re.compile(r"[{%]|\\[{}|]|/[/*]")


def find_marked(interface: Interface, values: Mapping[str, object]) -> list[Parameter]:
    """The parameters with a given text that the editor might send otherwise than it was typed."""
    return [
        parameter
        for parameter in interface.parameters
        if isinstance(text := values.get(parameter.name), str) and parameter.type == "text" and _MARKED.search(text)
    ]


def expand_values(
    interface: Interface,
    graph: Mapping[str, Any],
    values: Mapping[str, Any],
    node_types: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """`values` with the texts as the editor would send them: choices and comments in inputs that ComfyUI calls
    dynamic prompts, names and dates in the file names of outputs. Raises `TextTooLong`."""
    expanded = dict(values)
    named: dict[str, Mapping[str, object]] | None = None
    for parameter in find_marked(interface, values):
        text = expanded[parameter.name]
        kinds = [(target, str(graph.get(target.node, {}).get("class_type"))) for target in parameter.targets]
        if any(_is_dynamic(node_types, kind, target.input) for target, kind in kinds):
            if len(text) > MAX_CHOICES:
                raise TextTooLong(text, f"a text with choices has more than {MAX_CHOICES:,} characters")
            text = expand_choices(text, random.SystemRandom())
        elif any(target.input == "filename_prefix" and kind in SAVE_NODES for target, kind in kinds):
            named = named or _name_values(set_values(graph, interface, values))
            text = replace_names(text, named, now)
        expanded[parameter.name] = text
    return expanded


def _is_dynamic(node_types: Mapping[str, Any], kind: str, name: str) -> bool:
    described = node_types.get(kind)
    groups = described.get("input") if isinstance(described, Mapping) else None
    for group in ("required", "optional"):
        inputs = groups.get(group) if isinstance(groups, Mapping) else None
        spec = inputs.get(name) if isinstance(inputs, Mapping) else None
        if isinstance(spec, list | tuple) and len(spec) > 1 and isinstance(spec[1], Mapping):
            return spec[1].get("dynamicPrompts") is True
    return False


def _name_values(graph: Mapping[str, Any]) -> dict[str, Mapping[str, object]]:
    """The values of nodes by their type, else by their title: the first of each."""
    by_type: dict[str, Mapping[str, object]] = {}
    by_title: dict[str, Mapping[str, object]] = {}
    for node in graph.values():
        inputs = node.get("inputs") or {}
        by_type.setdefault(str(node.get("class_type")), inputs)
        by_title.setdefault(str((node.get("_meta") or {}).get("title")), inputs)
    return {**by_title, **by_type}
