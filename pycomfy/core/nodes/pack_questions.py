"""Ask once for each node pack: questions about types that the same pack settles are one question."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_resolution import Candidate, ProviderQuestion


def group_questions(questions: Iterable[ProviderQuestion]) -> tuple[ProviderQuestion, ...]:
    """Return the questions, those that one pack settles merged into the first of them, sorted by type.

    Each question has a leading candidate: one that another type needs anyway, else that with the most stars, which only
    orders questions. The pack that leads most of them goes first, with all questions that it settles. So a copy of many
    packs does not make one question of what are several decisions.
    Questions without candidates are merged where the workflow names the same unknown packs for them. Those about
    ComfyUI itself stay as they are.
    """
    remaining = sorted(questions, key=lambda q: q.type)
    everything = tuple(remaining)
    groups: list[ProviderQuestion] = []
    while remaining:
        leading = [pack for q in remaining if (pack := _find_leading(q)) is not None]
        if not leading:
            break
        counts = Counter(pack.identity for pack in leading)
        best = min(leading, key=lambda p: (-counts[p.identity], -(p.stars or 0), p.identity))
        groups.append(_merge([q for q in remaining if settles(best, q)], everything))
        remaining = [q for q in remaining if not settles(best, q)]
    by_name: dict[object, list[ProviderQuestion]] = {}
    for question in remaining:
        mergeable = question.unknown_names and question.core is None and not question.makers
        by_name.setdefault(question.unknown_names if mergeable else question.type, []).append(question)
    groups.extend(_merge(found, everything) for found in by_name.values())
    return tuple(sorted(groups, key=lambda q: q.type))


def settles(pack: Listing, question: ProviderQuestion) -> bool:
    """Return whether choosing `pack` settles the question: it is listed with the type, or nothing is and it is a
    candidate by its pattern of names."""
    if question.core is not None or question.makers:
        return False
    known = any(c.listed for c in question.candidates)
    return any(c.pack.identity == pack.identity and (c.listed or not known) for c in question.candidates)


def _find_leading(question: ProviderQuestion) -> Listing | None:
    candidates = [c for c in question.candidates if settles(c.pack, question)]
    order = sorted(candidates, key=lambda c: (not c.already_selected, -(c.pack.stars or 0), c.pack.identity))
    return order[0].pack if order else None


def _merge(questions: Sequence[ProviderQuestion], everything: Sequence[ProviderQuestion]) -> ProviderQuestion:
    """One question for all of `questions`, which are sorted by type."""
    first = questions[0]
    candidates = {c.pack.identity: c for q in reversed(questions) for c in q.candidates}
    merged = []
    for candidate in candidates.values():
        settled = tuple(q.type for q in everything if settles(candidate.pack, q))
        also = {type_ for q in questions for c in q.candidates if c.pack == candidate.pack for type_ in c.also_provides}
        also |= {q.type for q in questions if settles(candidate.pack, q)}
        own = [c for q in questions for c in q.candidates if c.pack.identity == candidate.pack.identity]
        merged.append(
            replace(
                candidate,
                also_provides=tuple(sorted(also - {first.type})),
                settles=settled,
                fitting=sum(c.fitting for c in own),
                saved=sum(c.saved for c in own),
                problems=tuple(dict.fromkeys(problem for c in own for problem in c.problems)),
                made=min((c.made for c in own if c.made is not None), default=None),
            )
        )
    types = {q.type for q in questions}

    def order(candidate: Candidate) -> tuple[bool, int, int, str]:
        pack = candidate.pack
        return (not candidate.already_selected, -len(types & set(candidate.settles)), -(pack.stars or 0), pack.identity)

    why = first.why
    if len(questions) > 1:
        why = f"{len(merged)} known node packs provide some or all of them"
        if len({q.unknown_names for q in questions}) == 1 and first.unknown_names:
            why = f"according to the workflow they are from {' and '.join(first.unknown_names)}, which is not known"
    return replace(first, why=why, candidates=tuple(sorted(merged, key=order)), others=tuple(questions[1:]))
