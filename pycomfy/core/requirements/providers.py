"""Which source supplies each node type of a workflow: ComfyUI, or exactly one node pack. Nothing is guessed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from pycomfy.core.requirements.model import RequiredNode
from pycomfy.errors import BadConfig, PycomfyError, UnknownNode, raise_all


def match_providers(
    nodes: Iterable[RequiredNode], builtin: Collection[str], packs: Mapping[str, Collection[str]], where: str
) -> dict[str, tuple[str, ...]]:
    """Pack -> the node types it supplies to the workflow, sorted; packs that supply none are there as well.

    `builtin` are ComfyUI's types, `packs` those of each pack, `where` names the workflow. Nodes that do not run need
    nobody. Raises `UnknownNode` for every type nobody supplies, `BadConfig` for every type that several packs do.
    """
    using = running_types(nodes)
    supplied: dict[str, list[str]] = {name: [] for name in packs}
    problems: list[PycomfyError] = []
    # A pack cannot replace what is built in: ComfyUI skips those types of a pack.
    for type_ in sorted(using.keys() - set(builtin)):
        found = sorted(name for name, types in packs.items() if type_ in types)
        if len(found) > 1:
            problems.append(
                BadConfig(
                    f"the node packs {' and '.join(found)} both have the node type {type_!r}",
                    where=describe_locations(using[type_], where),
                    fix="ComfyUI would take the one it happens to load last: take all their types from one of them"
                    " (prefer = …), or leave one out of pycomfy.toml",
                )
            )
        elif found:
            supplied[found[0]].append(type_)
        else:
            problems.append(_unknown(type_, using[type_], where))
    raise_all(problems)
    return {name: tuple(types) for name, types in supplied.items()}


def running_types(nodes: Iterable[RequiredNode]) -> dict[str, list[RequiredNode]]:
    """The nodes that run, by their type."""
    using: defaultdict[str, list[RequiredNode]] = defaultdict(list)
    for node in nodes:
        if node.state == "runs":
            using[node.type].append(node)
    return dict(using)


def _unknown(type_: str, nodes: list[RequiredNode], where: str) -> UnknownNode:
    said = next((n.pack for n in nodes if n.pack is not None and n.pack.cnr_id != "comfy-core"), None)
    source = (said.aux_id or said.cnr_id if said is not None else None) or ""
    hint = f"; the workflow says that it is of {source}" if source else ""
    name = source.rsplit("/", 1)[-1] or "NAME"
    return UnknownNode(
        f"no source has the node type {type_!r}{hint}",
        where=describe_locations(nodes, where),
        fix=f"name its node pack: --pack {name}=URL[@REVISION], or at the top of pycomfy.toml:"
        f' packs.{name} = {{ git = "URL" }}',
    )


def describe_locations(nodes: list[RequiredNode], where: str) -> str:
    """Where nodes are: their ids, with titles that say more than the type."""
    shown = [f"node {n.id}" + (f" ({n.title})" if n.title and n.title != n.type else "") for n in nodes[:5]]
    more = f" and {len(nodes) - 5} more" if len(nodes) > 5 else ""
    return f"{', '.join(shown)}{more} of {where}"
