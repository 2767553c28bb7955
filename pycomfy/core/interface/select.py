"""Select the candidates that become parameters, and name them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pycomfy.core.interface.candidates import Candidate, Owner
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.links import is_link
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.input_files import find_kind
from pycomfy.errors import BadConfig, Fixes, PycomfyError, raise_all, suggest

Choice = tuple[str, Candidate]
"""A requested name, not yet unique or valid, and its candidate."""

_SIZES = ("width", "height", "length", "batch_size", "fps", "frame_rate", "duration")
_STRENGTHS = ("denoise", "cfg", "guidance", "steps")
_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Graph:
    """What parameters are selected from."""

    prompt: Prompt
    candidates: Mapping[Owner, Candidate]
    definitions: Definitions


def select_parameters(graph: Graph, configured: Mapping[str, str], linear: object) -> list[Choice]:
    """Return the parameters, from the first of these that names any: the configuration, the inputs of the author's app
    (`linear`), nodes made to be parameters, tags in titles, else a default set. Raises `BadConfig` for configured
    inputs that do not exist."""
    if configured:
        return _configured(graph, configured)
    for choices in (_linear(graph, linear), _declared(graph), _tagged(graph)):
        if choices:
            return choices
    return list(_default_set(graph))


def _configured(graph: Graph, configured: Mapping[str, str]) -> list[Choice]:
    """The inputs of `name = "node.input"`; node ids are the editor's, with `host:inner` inside subgraphs."""
    by_target = _by_target(graph)
    choices: list[Choice] = []
    problems: list[PycomfyError] = []
    for name, path in configured.items():
        node, _, input_ = path.partition(".")
        candidate = graph.candidates.get((node, input_)) or by_target.get((node, input_))
        if candidate is None:
            problems.append(_no_input(graph, name, node, input_))
        else:
            choices.append((name, candidate))
    raise_all(problems)
    return choices


def _by_target(graph: Graph) -> dict[tuple[str, str], Candidate]:
    """The candidates by each (node, input) that they set."""
    return {target: candidate for candidate in graph.candidates.values() for target in candidate.targets}


def _no_input(graph: Graph, name: str, node: str, input_: str) -> BadConfig:
    names = sorted({i for c in graph.candidates.values() for n, i in (c.owner, *c.targets) if n == node})
    fix: Fixes
    if names:
        what, fix = f'node {node} has no free input "{input_}"', f"use one of: {', '.join(names)}"
    elif node in graph.prompt:
        what, fix = f"node {node} has no free inputs", "name an input that nothing is linked to"
    else:
        what, fix = f"there is no node {node} that runs", suggest("inspect", "lists the nodes with their ids")
    return BadConfig(what, where=f"[inputs] {name} in pycomfy.toml", fix=fix)


def _linear(graph: Graph, linear: object) -> list[Choice]:
    """The inputs of `extra.linearData.inputs`: `[node id, widget, …]`, which the author shows in ComfyUI's app mode."""
    inputs = linear.get("inputs") if isinstance(linear, Mapping) else None
    choices = []
    for entry in inputs if isinstance(inputs, list) else ():
        if isinstance(entry, list) and len(entry) >= 2:
            candidate = graph.candidates.get((str(entry[0]), str(entry[1])))
            if candidate is not None:
                choices.append((candidate.owner[1], candidate))
    return choices


def _declared(graph: Graph) -> list[Choice]:
    """The inputs of nodes made to be parameters: ComfyDeploy's `External…`, named by their `input_id`, and those of
    comfy-pack, named by their title."""
    choices = []
    by_target = _by_target(graph)
    for id_, node in graph.prompt.items():
        if node["class_type"].startswith("ComfyUIDeployExternal"):
            name = node["inputs"].get("input_id")
            value_inputs: tuple[str, ...] = ("default_value", "default_value_url", "input_id")
        elif node["class_type"].startswith("CPackInput"):
            name = _title(graph, id_)
            value_inputs = ("value", "image", "file_path", "file")
        else:
            continue
        by_input = {i: by_target[id_, i] for i in value_inputs if (id_, i) in by_target}
        candidate = next((by_input[i] for i in value_inputs if i in by_input), None)
        if isinstance(name, str) and name and candidate is not None:
            choices.append((name, candidate))
    return choices


def _tagged(graph: Graph) -> list[Choice]:
    """The inputs of nodes with ViewComfy's tags in their title: `VC_BASIC` and `VC_ADV` show all free inputs."""
    return [
        (candidate.owner[1], candidate)
        for candidate in graph.candidates.values()
        if "VC_BASIC" in candidate.owner_title or "VC_ADV" in candidate.owner_title
    ]


def _default_set(graph: Graph) -> Iterator[Choice]:
    """Text prompts, seeds, sizes, uploaded files, strengths."""
    roles = _prompt_roles(graph.prompt)
    for candidate in graph.candidates.values():
        node, input_ = candidate.targets[0]
        spec, name = candidate.spec, input_.rsplit(".", 1)[-1]
        type_ = spec.type if spec is not None else ""
        if find_kind(candidate.type_, input_, graph.definitions.find(candidate.type_)) is not None:
            yield name if name != "file" else "video", candidate
        elif type_ == "STRING" and spec is not None and spec.options.get("multiline"):
            yield roles.get(node) or name, candidate
        elif type_ == "INT" and name in ("seed", "noise_seed"):
            yield "seed", candidate
        elif type_ in ("INT", "FLOAT") and (name in _SIZES or name in _STRENGTHS or name.startswith("strength")):
            yield name, candidate


def _prompt_roles(prompt: Prompt) -> dict[str, str]:
    """The nodes that feed the positive or the negative side of a sampler, found by following links backwards."""
    roles: dict[str, str] = {}
    for side, name in (("positive", "prompt"), ("negative", "negative_prompt")):
        waiting = [v[0] for n in prompt.values() for k, v in _links(n["inputs"]) if k == side]
        seen: set[str] = set()
        while waiting:
            id_ = waiting.pop()
            if id_ in seen or id_ not in prompt:
                continue
            seen.add(id_)
            roles.setdefault(id_, name)
            # Beyond a node with both sides, each side is followed separately.
            links = [(k, v) for k, v in _links(prompt[id_]["inputs"])]
            both = {k for k, _ in links} >= {"positive", "negative"}
            waiting.extend(v[0] for k, v in links if not both or k == side)
    return roles


def _links(inputs: Mapping[str, object]) -> list[tuple[str, list[str]]]:
    return [(k, v) for k, v in inputs.items() if is_link(v) and isinstance(v, list)]


def unique_names(requested: Iterable[tuple[str, str]]) -> list[str]:
    """Return valid, unique names for (requested name, title). Equal names are distinguished by title, then by
    number."""
    requested = list(requested)
    names = [slug(name) for name, _ in requested]
    longer = [slug(f"{title} {name}") for name, title in requested]
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, long in zip(names, longer, strict=True):
        groups[name].append(long)
    # Titles help only where they differ; three images from three "Load Image" are image, image_2, image_3.
    titled = {name for name, group in groups.items() if 1 < len(group) == len(set(group))}
    result: list[str] = []
    used: set[str] = set()
    following: defaultdict[str, int] = defaultdict(lambda: 2)
    for name, long in zip(names, longer, strict=True):
        best = long if name in titled else name
        candidate = best
        while candidate in used:
            candidate = f"{best[:58]}_{following[best]}"
            following[best] += 1
        used.add(candidate)
        result.append(candidate)
    return result


def slug(text: str) -> str:
    """Return a name of lower-case letters, digits and `_` that starts with a letter, 64 characters at most."""
    name = _NAME.sub("_", text.lower()).strip("_")[:60].strip("_")
    return name if name[:1].isalpha() and name.isascii() else f"input_{name}"[:64].rstrip("_")


def _title(graph: Graph, id_: str) -> str:
    title = graph.prompt[id_].get("_meta", {}).get("title")
    return title if isinstance(title, str) else graph.prompt[id_]["class_type"]
