"""Read what the sources of candidates say about the saved nodes: whether their definitions fit, and since when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from pycomfy import operation
from pycomfy.adapters.catalog.pack_definitions import (
    PackDefinitions,
    earlier_shapes,
    first_commit_date,
    read_pack_definitions,
)
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.core.analysis.node_shapes import Fit, NodeShape, compare
from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_resolution import PackResolution
from pycomfy.core.nodes.pack_shapes import Evidence, is_checkable, is_weighable
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.errors import PycomfyError
from pycomfy.services.lock.pack_search import PackSearch
from pycomfy.services.workspace import Workspace

MAX_CANDIDATES = 6
"""Candidates of a question whose sources are read; those with the most stars."""

MAX_PACKS = 40


def read_evidence(
    workspace: Workspace, search: PackSearch, resolution: PackResolution
) -> dict[tuple[str, str], Evidence]:
    """Return the evidence for the candidates of every question, and for the packs that only a list speaks for, by
    identity and type. Repositories are fetched for it, and nothing of them is run; one that cannot be read gives
    none."""
    packs: dict[str, tuple[Listing, dict[str, bool]]] = {}
    nodes = {one.type: one.nodes for one in search.types}
    for question in filter(is_weighable, resolution.questions):
        for candidate in [c for c in question.candidates if c.listed and not c.pack.files][:MAX_CANDIDATES]:
            packs.setdefault(candidate.pack.identity, (candidate.pack, {}))[1][question.type] = True
    locked = search.locked_packs()
    for choice in filter(is_checkable, resolution.choices):
        # What the earlier lock has was compared then; its commit needs no network.
        if choice.pack.identity in locked:
            continue
        if any(node.inputs or node.outputs for node in nodes[choice.type]):
            packs.setdefault(choice.pack.identity, (choice.pack, {}))[1][choice.type] = False
    jobs = {
        identity: partial(_read_pack, workspace, search, pack, types, nodes)
        for identity, (pack, types) in list(packs.items())[:MAX_PACKS]
    }
    if not jobs:
        return {}
    with operation.step("Compare candidates with the saved nodes", total=len(jobs)) as task:
        found = run_concurrently(jobs, task.advance)
    if unread := sorted(packs[identity][0].repository for identity, by_type in found.items() if by_type is None):
        operation.report(
            f"note: the sources of {', '.join(unread)} cannot be read, to compare them with the saved nodes"
        )
    return {
        (identity, type_): evidence
        for identity, by_type in found.items()
        if by_type is not None
        for type_, evidence in by_type.items()
    }


def _read_pack(
    workspace: Workspace,
    search: PackSearch,
    pack: Listing,
    types: Mapping[str, bool],
    nodes: Mapping[str, tuple[RequiredNode, ...]],
) -> dict[str, Evidence] | None:
    """What a pack's source says about each of the types; since when it has those that are asked about (True). None if
    it cannot be read."""
    try:
        repository = GitMirror(pack.url, owner=pack.repository, cache=workspace.paths.cache / "git")
        definitions = read_pack_definitions(repository, tuple(sorted(types)), workspace.paths.cache)
        return {
            type_: _judge(search, definitions, type_, nodes[type_], dated=dated)
            for type_, dated in types.items()
            if type_ in definitions.shapes
        }
    except PycomfyError:
        return None


def _judge(
    search: PackSearch, definitions: PackDefinitions, type_: str, nodes: Sequence[RequiredNode], *, dated: bool
) -> Evidence:
    fit = _compare_all(nodes, definitions.shapes[type_])
    problems = fit.problems
    if problems:
        # The pack may have changed the node since.
        earlier = earlier_shapes(definitions, type_)
        fits = [_compare_all(nodes, shape) for shape in earlier or ()]
        fit = next((one for one in fits if one.full), fit)
        if earlier is None or any(not one.problems for one in fits):
            problems = ()
    dated = dated and (search.before is not None or search.edited is not None)
    made = first_commit_date(definitions, type_) if dated else None
    late = _explain_late(search, made) if made is not None else ""
    return Evidence(fit.fitting, fit.total, problems, f"{made:%Y-%m-%d}" if made is not None else None, late)


def _compare_all(nodes: Sequence[RequiredNode], shape: NodeShape) -> Fit:
    """How all the saved nodes of a type fit its definition."""
    fits = [compare(node.inputs, node.outputs, shape) for node in nodes]
    return Fit(
        sum(one.fitting for one in fits),
        sum(one.total for one in fits),
        tuple(dict.fromkeys(problem for one in fits for problem in one.problems)),
        tuple(dict.fromkeys(name for one in fits for name in one.unknown)),
    )


def _explain_late(search: PackSearch, made: datetime) -> str:
    """Why a type that a pack has since `made` cannot be that of the file; "" if it can."""
    if search.before is not None and made >= search.before:
        return f"it has the type since {made:%Y-%m-%d} only, and packs are taken as of {search.before:%Y-%m-%d}"
    if search.edited is not None and made >= search.edited:
        return f"it has the type since {made:%Y-%m-%d} only, long after the editor that saved the file"
    return ""
