"""Read what ComfyUI's own editor sent for a workflow, and make the image's prompt of it.

The editor ran node packs' code, so nothing of its answer is believed: it has the form of a prompt, within limits, or it
is refused. It was asked at several moments, each with other dice and another time.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pycomfy.core.loose_json import as_list
from pycomfy.core.prompt.convert import Prompt, PromptNode
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.text_expansion import Moment, expand_texts
from pycomfy.core.sentences import join_lines, shorten
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.untrusted_json import MAX_DEPTH, is_deeper_than

MAX_NODES = 100_000
MAX_NAME = 1000
"""Characters of an id, a type or the name of an input."""

MAX_SHOWN = 60
"""Characters of a value in a difference."""

MAX_ERRORS = 20
"""Errors and dialogs of the page that are looked at."""

ASKED_AT = (1_767_225_600_000, 1_801_526_645_000, 1_836_000_133_000)
"""The times at which the editor is asked, in milliseconds since 1970 in UTC: no two share a year, day or minute."""

MOMENTS: Sequence[Mapping[str, int]] = tuple(
    {"seed": seed, "time": time} for seed, time in zip((1, 1_299_709, 982_451_653), ASKED_AT, strict=True)
)

_ERROR = re.compile(r"\b(error|aborted|failed)\b", re.IGNORECASE)
"""What the title of a dialog about an error has."""

_NO_WIDGETS = frozenset({"audioUI", "refresh"})
"""Inputs that the editor sends for its own buttons and players; no server reads them."""


class BadAnswer(ValueError):
    """The answer is not what the editor sends."""


@dataclass(frozen=True)
class EditorAnswer:
    """What the editor sent at each of `MOMENTS`."""

    prompts: tuple[Prompt, ...]


@dataclass(frozen=True)
class Judgement:
    """The image's `prompt`. `differences` say where the editor's differs from pycomfy's, a line each: those in nodes
    come first, so that many in inputs cannot hide one. `drawn` says which values the editor sends anew each time, so
    that the image has pycomfy's."""

    prompt: Prompt
    differences: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()


# — the answer —


def parse_answer(data: bytes) -> EditorAnswer:
    """Read an answer. Raises `BadAnswer` for any other text; its message says what the page or the browser said."""
    try:
        answer = json.loads(data, parse_constant=_refuse)
        # A number may be too large, and half of a surrogate pair cannot be written.
        json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as e:
        raise BadAnswer(f"the answer is not JSON: {e}") from e
    if not isinstance(answer, dict):
        raise BadAnswer("the answer is not an object")
    if is_deeper_than(answer, MAX_DEPTH):
        raise BadAnswer(f"the answer is nested more than {MAX_DEPTH} levels deep")
    if "error" in answer:
        raise BadAnswer(join_lines(str(answer["error"])))
    told = _texts(answer.get("errors"))
    for dialog in _texts(answer.get("dialogs")):
        # Others tell of missing models, which an image does not have.
        if _ERROR.search(dialog.partition("\n")[0]):
            raise BadAnswer(f"its page shows an error: {join_lines(dialog)}")
    prompts = answer.get("prompts")
    if not isinstance(prompts, list) or len(prompts) != len(MOMENTS):
        raise BadAnswer("the answer has not one prompt for each moment")
    if any(prompt is None for prompt in prompts):
        raise BadAnswer("it sent nothing" + (f": {join_lines(told[0])}" if told else ""))
    return EditorAnswer(tuple(map(_parse_prompt, prompts)))


def render_answer(answer: EditorAnswer) -> bytes:
    """Return the answer's JSON, which `parse_answer` reads."""
    return json.dumps({"prompts": list(answer.prompts)}).encode()


def _texts(value: object) -> list[str]:
    return [text for text in as_list(value)[:MAX_ERRORS] if isinstance(text, str)]


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number of JSON")


def _parse_prompt(value: object) -> Prompt:
    if not isinstance(value, dict) or len(value) > MAX_NODES:
        raise BadAnswer("the prompt is not an object of nodes")
    return {_name(id_): _parse_node(id_, node) for id_, node in value.items() if _has_type(node)}


def _has_type(node: object) -> bool:
    """Whether the editor knows a node's type; of one that it does not know it sends only the links."""
    return not isinstance(node, dict) or node.get("class_type") is not None


def _parse_node(id_: str, node: object) -> PromptNode:
    if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):
        raise BadAnswer(f"node {shorten(id_)} of the prompt has no inputs")
    inputs = {_name(name): value for name, value in node["inputs"].items()}
    parsed: PromptNode = {"class_type": _name(node["class_type"]), "inputs": inputs}
    title = node["_meta"].get("title") if isinstance(node.get("_meta"), dict) else None
    if isinstance(title, str) and len(title) <= MAX_NAME:
        parsed["_meta"] = {"title": title}
    return parsed


def _name(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise BadAnswer("the prompt has a name that is not a short text")
    return value


# — the judgement —


def judge(ours: Prompt, answer: EditorAnswer, workflow: Workflow, definitions: Definitions) -> Judgement:
    """Return the editor's prompt, and where it differs from `ours`, pycomfy's conversion of the same workflow.

    What the editor chooses anew each time it is asked stays as pycomfy has it: a text with choices or a date, a seed to
    be drawn. So do texts that a run expands to what the editor sent, titles, which the editor translates, and equal
    values, so that a prompt without differences is pycomfy's to the byte.
    """
    first, *others = answer.prompts
    expanded = expand_texts(ours, workflow, definitions, _moment(0))
    prompt: Prompt = {}
    nodes: list[str] = []
    differences: list[str] = []
    drawn: list[str] = []
    for id_, node in first.items():
        mine, texts = ours.get(id_), expanded.get(id_)
        if mine is None or texts is None or mine["class_type"] != node["class_type"]:
            nodes.append(_missing(id_, node, mine))
            prompt[id_] = node
            continue
        inputs: dict[str, object] = {}
        for name, value in node["inputs"].items():
            known = name in mine["inputs"]
            own = mine["inputs"].get(name)
            if known and same(own, value):
                inputs[name] = own
            elif known and _varies(id_, name, value, others):
                inputs[name] = own
                if not isinstance(own, str):
                    drawn.append(f"{_label(id_, node)}: {shorten(name)}, saved as {_shown(own)}")
            elif known and isinstance(own, str) and same(texts["inputs"].get(name), value):
                inputs[name] = own
            else:
                inputs[name] = value
                if known or not _is_own_widget(name):
                    differences.append(
                        f"{_label(id_, node)}: the editor sends {shorten(name)} = {_shown(value)}, pycomfy would have"
                        f" sent {_shown(own) if known else 'nothing'}"
                    )
        for name, own in mine["inputs"].items():
            if name not in inputs:
                differences.append(
                    f"{_label(id_, node)}: the editor sends no {shorten(name)}, pycomfy would have sent {_shown(own)}"
                )
        prompt[id_] = _with_inputs(mine, inputs)
    for id_, node in ours.items():
        if id_ not in first:
            nodes.append(f"{_label(id_, node)}: the editor sends no such node, pycomfy would have")
    differences = nodes + differences
    if not differences and prompt == ours:
        return Judgement(ours, (), tuple(drawn))
    if any(other.keys() != first.keys() for other in others):
        drawn.append("which nodes run at all")
    return Judgement(prompt, tuple(differences), tuple(drawn))


def same(one: object, other: object) -> bool:
    """Return whether two JSON values are the same to JavaScript: `8.0` and `8` are one number, `true` and `1` are
    not."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


def _moment(index: int) -> Moment:
    return Moment(0, datetime.fromtimestamp(ASKED_AT[index] / 1000, UTC))


def _varies(id_: str, name: str, value: object, others: Sequence[Prompt]) -> bool:
    """Whether the editor sent another value at another moment."""
    nodes = [prompt[id_]["inputs"] for prompt in others if id_ in prompt]
    return any(name in inputs and not same(inputs[name], value) for inputs in nodes)


def _with_inputs(node: PromptNode, inputs: dict[str, object]) -> PromptNode:
    """The node with these inputs, in its own order where they are its own."""
    if inputs.keys() == node["inputs"].keys():
        inputs = {name: inputs[name] for name in node["inputs"]}
    return {**node, "inputs": inputs}


def _is_own_widget(name: str) -> bool:
    return name in _NO_WIDGETS or name.startswith("preview")


def _missing(id_: str, node: PromptNode, mine: PromptNode | None) -> str:
    if mine is None:
        return f"{_label(id_, node)}: the editor sends this node, pycomfy would not have"
    return f"{_label(id_, node)}: the editor sends this type, pycomfy would have sent {shorten(mine['class_type'])}"


def _label(id_: str, node: PromptNode) -> str:
    return f"node {shorten(id_)} ({shorten(node['class_type'])})"


def _shown(value: object) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), MAX_SHOWN)
