"""Match each node type of a workflow with its provider: ComfyUI, or exactly one node pack. Nothing is guessed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from pycomfy.core.lockfile.names import COMFY_CORE, plain_name, repository_name
from pycomfy.core.lockfile.toml import at_top, render_key
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.errors import BadConfig, Fix, Placeholder, PycomfyError, UnknownNode, raise_all, suggest


def match_providers(
    nodes: Iterable[RequiredNode], builtin: Collection[str], packs: Mapping[str, Collection[str]], workflow: str
) -> dict[str, tuple[str, ...]]:
    """Return pack -> the node types it provides to the workflow, sorted; packs that provide none are included.

    `builtin` are ComfyUI's types, `packs` those of each pack, `workflow` is the workflow's file. Nodes that do not run
    need no provider. Raises `UnknownNode` for every type without a provider, `BadConfig` for every type with several.
    """
    users = running_types(nodes)
    provided: dict[str, list[str]] = {name: [] for name in packs}
    problems: list[PycomfyError] = []
    # A pack cannot replace what is built in: ComfyUI skips those types of a pack.
    for type_ in sorted(users.keys() - set(builtin)):
        providers = sorted(name for name, types in packs.items() if type_ in types)
        if len(providers) > 1:
            problems.append(
                BadConfig(
                    f"several node packs have the node type {type_!r}: {' and '.join(providers)}",
                    where=describe_locations(users[type_], workflow),
                    fix="ComfyUI would take the one it happens to load last: take all their types from one of them"
                    " (prefer = …), or leave one out of pycomfy.toml",
                )
            )
        elif providers:
            provided[providers[0]].append(type_)
        else:
            problems.append(_unknown_node(type_, users[type_], workflow, packs))
    raise_all(problems)
    return {name: tuple(types) for name, types in provided.items()}


def running_types(nodes: Iterable[RequiredNode]) -> dict[str, list[RequiredNode]]:
    """Return the nodes that run, by their type."""
    users: defaultdict[str, list[RequiredNode]] = defaultdict(list)
    for node in nodes:
        if node.state == "runs":
            users[node.type].append(node)
    return dict(users)


def suggest_naming_pack(
    workflow: str, name: str = "", note: str = "", configured: Collection[str] = ()
) -> tuple[Fix, str, str]:
    """Return the ways to name the node pack of an unknown type: one in a repository, or in a folder. `workflow` is the
    workflow's file; `name` is the pack's folder where it is known, and may come from an untrusted file. `configured`
    are packs that pycomfy.toml may name already."""
    name = plain_name(name) or "NAME"
    replaced = f"[packs.{render_key(name)}]" if name in configured else ""
    note = f"{note}; URL@REVISION takes that revision" if note else "URL@REVISION takes that revision"
    return (
        suggest("lock", note, workflow=workflow, pack=Placeholder(f"{name}=URL")),
        at_top(f'packs.{render_key(name)} = {{ git = "URL" }}', replaced),
        at_top(f'packs.{render_key(name)} = {{ path = "FOLDER" }}', replaced, ", if it is a folder of yours"),
    )


def describe_locations(nodes: Sequence[RequiredNode], where: str) -> str:
    """Return the ids of nodes, at most five, with titles that say more than the type."""
    shown = [f"node {n.id}" + (f" ({n.title})" if n.title and n.title != n.type else "") for n in nodes[:5]]
    more = f" and {len(nodes) - 5} more" if len(nodes) > 5 else ""
    return f"{', '.join(shown)}{more} of {where}"


def _unknown_node(type_: str, nodes: Sequence[RequiredNode], workflow: str, configured: Collection[str]) -> UnknownNode:
    stated = next((n.pack for n in nodes if n.pack is not None and n.pack.cnr_id != COMFY_CORE), None)
    source = (stated.aux_id or stated.cnr_id if stated is not None else None) or ""
    hint = f"; according to the workflow it is from {source}" if source else ""
    return UnknownNode(
        f"unknown node type {type_!r}: neither ComfyUI nor a node pack of the lock provides it{hint}",
        where=describe_locations(nodes, workflow),
        fix=suggest_naming_pack(workflow, repository_name(source), configured=configured),
    )
