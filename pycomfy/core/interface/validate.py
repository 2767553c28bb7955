"""Validate a prompt: what ComfyUI checks when a prompt is queued, and what it does not check but should."""

from collections.abc import Iterator, Mapping

from pycomfy.core.prompt.convert import Prompt, PromptNode
from pycomfy.core.prompt.links import is_link
from pycomfy.core.prompt.node_definitions import (
    AUTOGROW,
    DYNAMIC_COMBO,
    DYNAMIC_GROUP,
    MATCH_TYPE,
    Definitions,
    InputSpec,
    NodeSpec,
)
from pycomfy.core.prompt.slots import compatible
from pycomfy.core.requirements.input_files import find_kind
from pycomfy.core.requirements.model_files import find_models
from pycomfy.core.sentences import shorten
from pycomfy.errors import BadWorkflow, PycomfyError, UnknownNode

_FRONTEND_INPUTS = frozenset(("IMAGEUPLOAD", "AUDIOUPLOAD", "AUDIO_UI", "PREVIEW_3D", "PREVIEW_3D_ANIMATION"))
_DYNAMIC = frozenset((AUTOGROW, DYNAMIC_COMBO, DYNAMIC_GROUP))


def find_problems(prompt: Prompt, object_info: Mapping[str, object] | Definitions) -> tuple[PycomfyError, ...]:
    """Return every problem of the graph: unknown types, links to missing nodes or of wrong types, cycles, missing
    inputs, values out of range or not among the choices, no output node. Each names the node and the fix.

    Missing models and input files are not problems of the graph; `collect_requirements` lists them.
    """
    definitions = object_info if isinstance(object_info, Definitions) else Definitions(object_info)
    problems: list[PycomfyError] = []
    for id_, node in prompt.items():
        problems.extend(_node_problems(id_, node, prompt, definitions))
    cycle = find_cycle(prompt)
    if cycle:
        problems.append(
            BadWorkflow(
                f"the links form a cycle: {' -> '.join([*cycle, cycle[0]])}",
                where=_where(cycle[0], prompt[cycle[0]]),
                fix="remove one of these links",
            )
        )
    specs = [definitions.find(n["class_type"]) for n in prompt.values()]
    if not any(s is not None and s.output_node for s in specs) and all(s is not None for s in specs):
        problems.append(_no_output())
    return tuple(problems)


def find_refusal(prompt: Prompt, definitions: Definitions) -> tuple[PycomfyError, ...]:
    """Return why a server will refuse the prompt, as ComfyUI's `validate_prompt` does: nothing would be saved, or every
    output needs a node with something wrong. Empty if it will run, perhaps without some outputs.

    A pack may check values of its nodes by code of its own, and then takes what a definition forbids: of those nodes
    only a missing input counts.
    """
    outputs = [id_ for id_, node in prompt.items() if (s := definitions.find(node["class_type"])) and s.output_node]
    if not outputs:
        return (_no_output(),)
    problems: dict[str, tuple[PycomfyError, ...]] = {}
    for output in outputs:
        needed = [id_ for id_ in _needed(prompt, output) if id_ in prompt]
        for id_ in needed:
            if id_ not in problems:
                problems[id_] = tuple(_refused(id_, prompt, definitions))
        if not any(problems[id_] for id_ in needed):
            return ()
    return tuple(problem for found in problems.values() for problem in found)


def _needed(prompt: Prompt, output: str) -> Iterator[str]:
    """The nodes that an output needs, itself first."""
    waiting, seen = [output], {output}
    while waiting:
        id_ = waiting.pop()
        yield id_
        links = [v for v in prompt[id_]["inputs"].values() if is_link(v)] if id_ in prompt else []
        for link in links:
            origin = str(link[0])  # type: ignore[index]
            if origin not in seen:
                seen.add(origin)
                waiting.append(origin)


def _refused(id_: str, prompt: Prompt, definitions: Definitions) -> Iterator[PycomfyError]:
    node = prompt[id_]
    spec = definitions.find(node["class_type"])
    if spec is not None and spec.module.startswith("custom_nodes"):
        return _missing_inputs(id_, node, spec)
    return _node_problems(id_, node, prompt, definitions)


def _no_output() -> BadWorkflow:
    return BadWorkflow("nothing is saved: no output node", where="the workflow", fix="add a node such as SaveImage")


def _node_problems(id_: str, node: PromptNode, prompt: Prompt, definitions: Definitions) -> Iterator[PycomfyError]:
    where = _where(id_, node)
    spec = definitions.find(node["class_type"])
    if spec is None:
        yield UnknownNode(
            f'unknown node type "{shorten(node["class_type"])}": the definitions lack it',
            where=where,
            fix="use the definitions of a ComfyUI that has it: a newer one, or one with the node's pack",
        )
    known = {i.name: i for i in spec.inputs} if spec is not None else {}
    for name, value in node["inputs"].items():
        if is_link(value) and isinstance(value, list):
            yield from _link_problems(value, known.get(name), f"input {name} of {where}", prompt, definitions)
    if spec is None:
        return
    yield from _missing_inputs(id_, node, spec)
    for input_ in _checked(spec):
        if input_.name in node["inputs"] and not is_link(node["inputs"][input_.name]):
            yield from _value_problems(id_, node, input_, definitions)


def _checked(spec: NodeSpec) -> Iterator[InputSpec]:
    """The inputs that a server checks one by one."""
    return (i for i in spec.inputs if i.type not in _FRONTEND_INPUTS and i.type not in _DYNAMIC)


def _missing_inputs(id_: str, node: PromptNode, spec: NodeSpec) -> Iterator[PycomfyError]:
    for input_ in _checked(spec):
        if input_.name not in node["inputs"] and not input_.optional:
            yield BadWorkflow(
                f'the required input "{input_.name}" ({input_.type}) is not connected',
                where=_where(id_, node),
                fix="connect it in the editor",
            )


def _link_problems(
    link: list[object], input_: InputSpec | None, where: str, prompt: Prompt, definitions: Definitions
) -> Iterator[PycomfyError]:
    source = prompt.get(str(link[0]))
    if source is None:
        yield BadWorkflow(
            f"linked to node {link[0]}, which does not exist", where=where, fix="connect it to another node"
        )
        return
    spec = definitions.find(source["class_type"])
    slot = link[1]
    if spec is None:
        return
    if not isinstance(slot, int) or not 0 <= slot < len(spec.outputs):
        yield BadWorkflow(
            f"linked to output {slot} of node {link[0]}, which has {len(spec.outputs)} outputs",
            where=where,
            fix="connect it to another output",
        )
        return
    source_type = spec.outputs[slot].type
    if input_ is None or MATCH_TYPE in (source_type, input_.type) or compatible(source_type, input_.type):
        return
    yield BadWorkflow(
        f"takes {input_.type}, but is linked to {source_type} from node {link[0]}",
        where=where,
        fix="connect it to another output",
    )


def find_value_problems(id_: str, node: PromptNode, name: str, definitions: Definitions) -> tuple[PycomfyError, ...]:
    """Return what a server would say of the value of one input; nothing of what it does not check, or does not know."""
    spec = definitions.find(node["class_type"])
    checked = [] if spec is None else [input_ for input_ in _checked(spec) if input_.name == name]
    return tuple(problem for input_ in checked for problem in _value_problems(id_, node, input_, definitions))


def _value_problems(id_: str, node: PromptNode, input_: InputSpec, definitions: Definitions) -> Iterator[PycomfyError]:
    value = node["inputs"][input_.name]
    where = f"input {input_.name} of {_where(id_, node)}"
    if input_.type in ("INT", "FLOAT"):
        yield from _number_problems(value, input_, where)
    elif input_.type == "BOOLEAN" and not isinstance(value, (bool, int)):
        yield BadWorkflow(f"{value!r:.80} is not a boolean", where=where, fix="set it to true or false")
    elif input_.type == "STRING" and isinstance(value, (dict, list)):
        yield BadWorkflow("not a text", where=where, fix="set a text")
    elif input_.type == "COMBO" and input_.choices and not input_.options.get("multi_select"):
        spec = definitions.find(node["class_type"])
        is_file = find_kind(node["class_type"], input_.name, spec) is not None
        if value in input_.choices or is_file or find_models(id_, node["class_type"], {input_.name: value}, spec):
            return
        choices = ", ".join(str(c) for c in input_.choices[:8]) + (", …" if len(input_.choices) > 8 else "")
        yield BadWorkflow(f"{value!r:.80} is not one of the choices", where=where, fix=f"choose one of: {choices}")


def _number_problems(value: object, input_: InputSpec, where: str) -> Iterator[PycomfyError]:
    """The server converts with `int()` or `float()`, which take numeric strings too, and then compares."""
    try:
        number = int(value) if input_.type == "INT" else float(value)  # type: ignore[call-overload, arg-type]
    except (TypeError, ValueError, OverflowError):
        yield BadWorkflow(f"{value!r:.80} is not a number", where=where, fix="set a number")
        return
    low, high = input_.options.get("min"), input_.options.get("max")
    if isinstance(low, (int, float)) and number < low:
        yield BadWorkflow(f"{number} is less than {low}", where=where, fix=f"set at least {low}")
    if isinstance(high, (int, float)) and number > high:
        yield BadWorkflow(f"{number} is more than {high}", where=where, fix=f"set at most {high}")


def find_cycle(prompt: Prompt) -> list[str]:
    """Return the nodes of one cycle of links, each fed by the next; empty if there is none."""
    done: set[str] = set()
    for start in prompt:
        path: dict[str, Iterator[str]] = {}
        at: str | None = start
        while at is not None:
            if at not in path and at not in done:
                path[at] = iter(
                    [str(v[0]) for v in prompt[at]["inputs"].values() if is_link(v) and isinstance(v, list)]
                )
            if not path:
                break
            at = next(reversed(path))
            following = next((s for s in path[at] if s in prompt and s not in done), None)
            if following is None:
                done.add(at)
                del path[at]
                at = next(reversed(path), None)
            elif following in path:
                names = list(path)
                return names[names.index(following) :]
            else:
                at = following
    return []


def _where(id_: str, node: PromptNode) -> str:
    title = node.get("_meta", {}).get("title")
    return f'node {shorten(id_)} "{shorten(title if isinstance(title, str) else node["class_type"])}"'
