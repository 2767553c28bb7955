"""Questions as errors: what is not certain, who may be meant, and the words that settle it."""

from collections.abc import Collection, Iterable

from pycomfy.core.catalog.model import CORE_URL, Listing
from pycomfy.core.nodes.pack_resolution import Candidate, ProviderQuestion
from pycomfy.core.nodes.provenance import COMMIT
from pycomfy.core.requirements.providers import describe_locations
from pycomfy.errors import AmbiguousNode, PycomfyError, UnknownNode

MAX_CANDIDATES = 8


def explain_question(question: ProviderQuestion, where: str) -> PycomfyError:
    """The error for a question: `UnknownNode` without candidates, else `AmbiguousNode`. `where` names the workflow."""
    place = describe_locations(list(question.nodes), where)
    what = f'it is not known whose the node type "{question.type}" is: {question.why}'
    if question.core is not None:
        rev = (question.core if COMMIT.fullmatch(question.core) else f"v{question.core}") if question.core else "…"
        fix = (
            f'pin a ComfyUI that has it, at the top of pycomfy.toml: comfyui = {{ git = "{CORE_URL}", rev = "{rev}" }}'
        )
        if not question.candidates:
            fix += "; or, if a node pack is meant, name it: --pack NAME=URL"
        else:
            fix += "; or, if a node pack is meant, name it: --pack NAME=URL\n" + _list(question.candidates)
        return UnknownNode(what, where=place, fix=fix)
    if not question.candidates:
        return UnknownNode(
            what,
            where=place,
            fix="name its node pack: --pack NAME=URL[@REVISION], or at the top of pycomfy.toml:"
            ' packs.NAME = { git = "URL" }; or fetch newer lists: pycomfy catalog update',
        )
    first = short_name(question.candidates[0].pack)
    return AmbiguousNode(
        what,
        where=place,
        fix=f'choose one: --prefer {first}, or at the top of pycomfy.toml: prefer = ["{first}"]\n'
        + _list(question.candidates),
        type_=question.type,
        candidates=[_as_dict(c) for c in question.candidates],
    )


def short_name(pack: Listing) -> str:
    """The shortest name that `--prefer` understands."""
    return pack.url.removeprefix("https://github.com/").removesuffix(".git")


def describe_candidate(candidate: Candidate) -> str:
    """Stars, last update, and what else of the workflow it has."""
    pack = candidate.pack
    parts = ["stars unknown" if pack.stars is None else f"{pack.stars} star{'s' if pack.stars != 1 else ''}"]
    if pack.updated:
        parts.append(f"updated {pack.updated}")
    if candidate.already_selected:
        parts.append("needed anyway")
    if candidate.also_provides:
        parts.append(f"also has {_some(candidate.also_provides)} of this workflow")
    return ", ".join(parts)


def _list(candidates: Collection[Candidate]) -> str:
    shown = list(candidates)[:MAX_CANDIDATES]
    lines = [f"    {short_name(c.pack)}  ({describe_candidate(c)})" for c in shown]
    if len(candidates) > len(shown):
        lines.append(f"    and {len(candidates) - len(shown)} more")
    return "\n".join(lines)


def _some(types: Iterable[str]) -> str:
    names = list(types)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _as_dict(candidate: Candidate) -> dict[str, object]:
    pack = candidate.pack
    return {"url": pack.url, "stars": pack.stars, "updated": pack.updated, "also": list(candidate.also_provides)}
