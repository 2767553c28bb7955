"""Turn unresolved node types into errors: what is uncertain, which packs are candidates, and how to settle it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pycomfy.core.catalog.model import CORE_URL, Listing
from pycomfy.core.lockfile.names import plain_name, repository_name
from pycomfy.core.lockfile.toml import at_top, render_key, render_list, render_value
from pycomfy.core.nodes.pack_resolution import Candidate, ProviderQuestion
from pycomfy.core.nodes.provenance import COMMIT
from pycomfy.core.requirements.providers import describe_locations, suggest_naming_pack
from pycomfy.errors import AmbiguousNode, Fix, PycomfyError, UnknownNode, suggest

MAX_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an error's fixes depend on besides the question: whether pycomfy.toml has a `[comfyui]`, which packs it
    prefers, and whether the catalog is `fresh`, fetched for this very search."""

    comfyui: bool = False
    prefer: tuple[str, ...] = ()
    fresh: bool = False


def explain_question(question: ProviderQuestion, workflow: str, given: Surroundings | None = None) -> PycomfyError:
    """Return the error for a question: `AmbiguousNode` where one of the candidates can be preferred, else
    `UnknownNode`. `workflow` is the workflow's file. At most `MAX_CANDIDATES` candidates are suggested."""
    given = Surroundings() if given is None else given
    where = describe_locations(question.all_nodes, workflow)
    types = _quote_types(question)
    unlisted = len(question.candidates) - MAX_CANDIDATES
    more = f" ({unlisted} more candidates are not listed)" if unlisted > 0 else ""
    if question.replaced_by is not None:
        return UnknownNode(
            f'unknown node type "{question.type}": {question.why}',
            where=where,
            fix=(
                "open the workflow in that ComfyUI's editor, let it replace the node, and save it",
                _pin_comfyui("", given),
            ),
        )
    if question.core is not None:
        what = f'unknown node type "{question.type}": {question.why}{more}'
        pin = _pin_comfyui(question.core, given)
        return UnknownNode(what, where=where, fix=(pin, *_name_packs(question, workflow)))
    if question.makers:
        what = f'unknown node type "{question.type}": {question.why}{more}'
        declared = render_list("types", [question.type])
        lines = [
            f"if {name} has it, declare it in pycomfy.toml: [packs.{render_key(name)}] {declared}"
            for name in question.makers
        ]
        return UnknownNode(what, where=where, fix=(*lines, *suggest_naming_pack(workflow)))
    if not question.candidates:
        what = f"unknown node {types}: {question.why}"
        newer = () if given.fresh else (suggest("catalog update", "fetches newer lists of node packs"),)
        return UnknownNode(what, where=where, fix=(*suggest_naming_pack(workflow), *newer))
    names = [short_name(c.pack) for c in question.candidates]
    return AmbiguousNode(
        f"ambiguous node {types}: {question.why}{more}",
        where=where,
        fix=(
            *_prefer_packs(question, workflow),
            prefer_line(names[:1], given.prefer, ", as for the first one"),
        ),
        type_=question.type,
        types=question.types,
        candidates=[_as_dict(c) for c in question.candidates],
    )


def prefer_line(names: Iterable[str], before: Sequence[str], then: str = "") -> str:
    """Return the advice to prefer these packs besides those that were preferred `before`."""
    return at_top(render_list("prefer", dict.fromkeys([*names, *before])), "prefer" if before else "", then)


def short_name(pack: Listing) -> str:
    """Return the shortest name that identifies a pack among preferences: `owner/name` on GitHub, else its URL."""
    return pack.url.removeprefix("https://github.com/").removesuffix(".git")


def describe_candidate(candidate: Candidate, types: Collection[str] = ()) -> str:
    """Return stars, last update, how many of the `types` in question the pack settles, and what else of the workflow
    it provides."""
    pack = candidate.pack
    parts = ["stars unknown" if pack.stars is None else f"{pack.stars} star{'s' if pack.stars != 1 else ''}"]
    if pack.updated:
        parts.append(f"updated {pack.updated}")
    if candidate.made:
        parts.append(f"has it since {candidate.made}")
    if candidate.problems:
        parts.append(f"does not fit: {candidate.problems[0]}")
    elif candidate.saved:
        parts.append(f"fits {candidate.fitting} of {candidate.saved} inputs and outputs")
    if candidate.already_selected:
        parts.append("needed anyway")
    if len(types) > 1:
        settled = [type_ for type_ in types if type_ in candidate.settles]
        missing = [type_ for type_ in types if type_ not in candidate.settles]
        has = f"all {len(types)}" if not missing else f"{len(settled)} of the {len(types)}"
        parts.append(f"has {has} types" + (f", not {list_types(missing)}" if missing else ""))
    if also := [type_ for type_ in candidate.also_provides if type_ not in types]:
        parts.append(f"also has {list_types(also)} of this workflow")
    return ", ".join(parts)


def _pin_comfyui(version: str, given: Surroundings) -> str:
    """`version` is a version, a commit, or "" where neither is known."""
    rev = (version if COMMIT.fullmatch(version) else f"v{version}") if version else "…"
    value = f"{{ git = {render_value(CORE_URL)}, rev = {render_value(rev)} }}"
    return f"pin a ComfyUI that has it, {at_top(f'comfyui = {value}', '[comfyui]' if given.comfyui else '')}"


def _name_packs(question: ProviderQuestion, workflow: str) -> Iterator[str | Fix]:
    """A preference does not settle a type that is ComfyUI's own: only a pack that is named does, from a repository."""
    packs = [c for c in question.candidates[:MAX_CANDIDATES] if not c.pack.files]
    for candidate in packs:
        note = f"if this node pack is meant: {describe_candidate(candidate)}"
        name = plain_name(repository_name(candidate.pack.url)) or "pack"
        yield suggest("lock", note, workflow=workflow, pack=f"{name}={candidate.pack.url}")
    if not packs:
        yield from suggest_naming_pack(workflow, note="if a node pack is meant")


def _prefer_packs(question: ProviderQuestion, workflow: str) -> Iterator[Fix]:
    for candidate in question.candidates[:MAX_CANDIDATES]:
        note = describe_candidate(candidate, question.types)
        yield suggest("lock", note, workflow=workflow, prefer=short_name(candidate.pack))


def _quote_types(question: ProviderQuestion) -> str:
    quoted = [f'"{type_}"' for type_ in question.types]
    return f"type{'s' if len(quoted) > 1 else ''} {list_types(quoted)}"


def list_types(types: Iterable[str]) -> str:
    """Return the first four of them, and how many more there are."""
    names = list(types)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _as_dict(candidate: Candidate) -> dict[str, object]:
    pack = candidate.pack
    known: dict[str, object] = {
        "url": pack.url,
        "stars": pack.stars,
        "updated": pack.updated,
        "also": list(candidate.also_provides),
    }
    if not candidate.saved:
        return known
    evidence = {"fitting": candidate.fitting, "saved": candidate.saved, "problems": list(candidate.problems)}
    return {**known, **evidence, "made": candidate.made}
