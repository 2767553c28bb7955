"""Expand texts as the browser does when a workflow is queued: choices, comments, dates, values of other nodes."""

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.flatten import PRIMITIVE
from pycomfy.core.prompt.link_resolution import Constant
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import BadWorkflow

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
_COMMENT = re.compile(r"/\*[\s\S]*?\*/|//[^\n\r\u2028\u2029]*")
_UNESCAPE = re.compile(r"\\([{}|])")
_REPLACEMENT = re.compile(r"%([^%]+)%")
_FORBIDDEN = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_DATE_PART = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyy?y?")
_NODE_NAME = "Node name for S&R"
_REPLACES = "Run widget replace on values"


@dataclass(frozen=True, slots=True)
class Moment:
    """The random seed and the local time, which a browser takes from the system."""

    seed: int
    now: datetime


def expand_texts(
    prompt: Prompt, workflow: Workflow, object_info: Mapping[str, object] | Definitions, moment: Moment
) -> Prompt:
    """Return `prompt`, converted from `workflow`, with its texts as the browser would send them.

    Choices `{a|b}` depend on `moment.seed`, the node and the input, so that other nodes do not change them.
    """
    definitions = object_info if isinstance(object_info, Definitions) else Definitions(object_info)
    flat_workflow = FlatWorkflow(workflow, definitions) if workflow.format != "api" else None
    values = _values_by_name(workflow, flat_workflow)
    sources = _text_sources(flat_workflow) if flat_workflow is not None else {}
    expanded: Prompt = {}
    for id_, node in prompt.items():
        spec = definitions.find(node["class_type"])
        inputs = dict(node["inputs"])
        for input_ in spec.inputs if spec is not None else ():
            text, source = inputs.get(input_.name), sources.get((id_, input_.name))
            if not isinstance(text, str) or source == "host":
                continue
            if source == "replacing primitive":
                text = replace_names(text, values, moment.now)
            if input_.options.get("dynamicPrompts") is True:
                generator = random.Random(f"{moment.seed}:{id_}:{input_.name}")  # noqa: S311 - a choice of words
                text = expand_choices(text, generator)
            elif input_.name == "filename_prefix" and node["class_type"] in SAVE_NODES:
                text = replace_names(text, values, moment.now)
            inputs[input_.name] = text
        expanded[id_] = {**node, "inputs": inputs}
    return expanded


TextSource = Literal["host", "replacing primitive"]


def _text_sources(flat_workflow: FlatWorkflow) -> dict[tuple[str, str], TextSource]:
    """Inputs, as (node, name), with a text from another node that the browser handles differently.

    A text that the host of a subgraph sets is sent unchanged; a primitive with the property replaces names in its text.
    """
    replacing = {p.id for p in flat_workflow.nodes if p.node.type == PRIMITIVE and p.node.properties.get(_REPLACES)}
    sources: dict[tuple[str, str], TextSource] = {}
    for flat in flat_workflow.nodes:
        for name, source in flat_workflow.linked_sources(flat).items():
            if isinstance(source, Constant) and source.id in flat_workflow.hosts:
                sources[flat.id, name] = "host"
            elif isinstance(source, Constant) and source.id in replacing:
                sources[flat.id, name] = "replacing primitive"
    return sources


def expand_choices(text: str, generator: random.Random, depth: int = 0) -> str:
    """Return the text without comments, with one option of every `{a|b}`, and with `\\{` and the like unescaped."""
    text = _COMMENT.sub("", text)
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
    """Replace `%date:FORMAT%`, and `%Node.widget%` by its value; anything else between `%` stays."""

    left = MAX_EXPANDED

    def replaced(match: re.Match[str]) -> str:
        nonlocal left
        found = find(match)
        left -= len(found)
        if left < 0:
            what = f"a text of names between % has more than {MAX_EXPANDED:,} characters with their values"
            raise BadWorkflow(what, where=text[:50], fix="use fewer names, or shorter values")
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


def _values_by_name(workflow: Workflow, flat_workflow: FlatWorkflow | None) -> dict[str, Mapping[str, object]]:
    """The widgets of nodes by the name that texts use: the name for search and replace, else the title.

    All widgets, with the values that the editor shows: also linked ones and controls.
    """
    by_name: dict[str, Mapping[str, object]] = {}
    by_title: dict[str, Mapping[str, object]] = {}
    for node in workflow.api:
        by_name.setdefault(node.type, node.inputs)
        by_title.setdefault(node.title, node.inputs)
    if flat_workflow is None:
        return {**by_title, **by_name}
    for flat in flat_workflow.nodes:
        values = flat_workflow.displayed_values(flat)
        name = flat.node.properties.get(_NODE_NAME)
        if (
            not isinstance(name, str)
            and flat.node.type not in SAVE_NODES
            and flat_workflow.details.spec(flat) is not None
        ):
            name = flat.node.type
        if isinstance(name, str):
            by_name.setdefault(name, values)
        by_title.setdefault(flat_workflow.title(flat), values)
    return {**by_title, **by_name}
