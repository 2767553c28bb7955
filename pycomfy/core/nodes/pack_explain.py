"""Explain the provider of each node type of a locked workflow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pycomfy.core.lockfile.names import COMFY_CORE, COMFYUI
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.nodes.pack_resolution import ProviderChoice
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.requirements.providers import running_types


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node type comes from its provider. `source` is a pack's name or "ComfyUI"; `rule` is built-in, configured,
    together, or the reason of a `ProviderChoice`; `commit` says why it is this commit, where pycomfy chose one."""

    type: str
    source: str
    rule: str
    evidence: str
    commit: str = ""


def explain_choices(
    lock: Lock, nodes: Iterable[RequiredNode], choices: Iterable[ProviderChoice], commits: Mapping[str, str]
) -> tuple[Reason, ...]:
    """Return a reason for every type that runs, sorted by type. `commits`: pack -> why its commit was chosen."""
    providers = {type_: pack.name for pack in lock.packs for type_ in pack.types}
    chosen = {choice.type: choice for choice in choices}
    reasons = []
    for type_, users in sorted(running_types(nodes).items()):
        name = providers.get(type_)
        choice = chosen.get(type_)
        if name is None:
            stated = {n.pack.cnr_id or n.pack.aux_id for n in users if n.pack is not None} - {COMFY_CORE, None}
            other = f"; according to the workflow it is from {', '.join(sorted(map(str, stated)))}" if stated else ""
            evidence = f"ComfyUI {lock.comfyui.version} has it, and skips those of node packs{other}"
            reasons.append(Reason(type_, COMFYUI, "built-in", evidence))
        elif choice is not None:
            reasons.append(Reason(type_, name, choice.reason, choice.evidence, commits.get(name, "")))
        else:
            found = name in commits
            rule = "together" if found else "configured"
            evidence = "a pack that other types need provides it" if found else "you named the pack"
            reasons.append(Reason(type_, name, rule, evidence, commits.get(name, "")))
    return tuple(reasons)
