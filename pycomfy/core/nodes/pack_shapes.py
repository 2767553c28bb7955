"""Weigh the candidates of a question by the inputs and outputs of the saved nodes, and by dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pycomfy.core.nodes.pack_resolution import Candidate, PackResolution, ProviderChoice, ProviderQuestion
from pycomfy.core.requirements.model import RequiredNode

MIN_EVIDENCE = 3
"""Inputs and outputs that have to fit before a pack that only its name speaks for is taken."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a pack's own source says about a type: `fitting` of `total` saved inputs and outputs are there, in its
    newest definition or an earlier one. `problems` say what no definition of its history explains. `made` is the date
    of the first commit that has the type, `late` why it cannot be what the file was made with."""

    fitting: int = 0
    total: int = 0
    problems: tuple[str, ...] = ()
    made: str | None = None
    late: str = ""

    @property
    def fits(self) -> bool:
        """Whether all that was saved is there."""
        return self.total > 0 and self.fitting == self.total and not self.late

    @property
    def contradicts(self) -> bool:
        """Whether it is certain that the nodes are of another pack."""
        return bool(self.problems or self.late)


Evidences = Mapping[tuple[str, str], Evidence]
"""By identity of the pack and type."""


def is_weighable(question: ProviderQuestion) -> bool:
    """Return whether the sources of its candidates may settle it: it is about packs that are listed with the type, and
    its nodes have something to compare."""
    if question.core is not None or question.makers or question.unknown_names:
        return False
    return any(c.listed and not c.pack.files for c in question.candidates) and any(
        node.inputs or node.outputs for node in question.nodes
    )


def is_checkable(choice: ProviderChoice) -> bool:
    """Return whether only a list speaks for a choice: being listed once is no proof."""
    return choice.reason in ("only-pack", "registry") and not choice.pack.files


def weigh(
    resolution: PackResolution, evidences: Evidences, nodes: Mapping[str, tuple[RequiredNode, ...]]
) -> PackResolution:
    """Return the resolution with every question settled that evidence settles: one pack fits, and all others contradict
    what was saved. Where the evidence leaves several, those that contradict it are no candidates any more. A choice
    becomes a question where less than half of what was saved fits; a few differences may be of a version that its
    history lacks. `nodes` are those of each type."""
    choices, left, asked = list[ProviderChoice](), list[ProviderQuestion](), list(resolution.questions)
    for choice in resolution.choices:
        evidence = evidences.get((choice.pack.identity, choice.type)) if is_checkable(choice) else None
        if evidence is not None and evidence.contradicts and evidence.fitting * 2 < evidence.total:
            candidate = Candidate(choice.pack, versions=choice.versions, unused=choice.unused)
            why = f"only one known node pack provides it, and the saved node is another: {evidence.problems[0]}"
            asked.append(ProviderQuestion(choice.type, nodes[choice.type], why, (candidate,)))
        else:
            choices.append(choice)
    for question in asked:
        weighed = _with_evidence(question, evidences) if is_weighable(question) else question
        settled = _choose(weighed, evidences) if is_weighable(question) else None
        choices += [settled] if settled is not None else []
        left += [weighed] if settled is None else []
    needed = {choice.pack.identity: choice for choice in reversed(choices) if choice.reason == "shape"}
    questions = []
    for question in left:
        together = _take_needed(question, needed, evidences)
        choices += [together] if together is not None else []
        questions += [question] if together is None else []
    return PackResolution(tuple(sorted(choices, key=lambda c: c.type)), tuple(questions))


def _with_evidence(question: ProviderQuestion, evidences: Evidences) -> ProviderQuestion:
    """The question with what is known about its candidates, without those that it excludes; all if it excludes all."""
    candidates = []
    for candidate in question.candidates:
        found = evidences.get((candidate.pack.identity, question.type))
        if found is not None:
            problems = (found.late,) if found.late else found.problems
            candidate = replace(candidate, fitting=found.fitting, saved=found.total, problems=problems, made=found.made)
        candidates.append(candidate)
    kept = [c for c in candidates if not c.problems]
    dropped = [c for c in candidates if c.problems]
    if not any(c.listed for c in kept) or not dropped:
        return replace(question, candidates=tuple(candidates))
    left_out = "; ".join(f"{c.pack.repository} is not it: {c.problems[0]}" for c in dropped[:3])
    return replace(question, candidates=tuple(kept), why=f"{question.why} ({left_out})")


def _choose(question: ProviderQuestion, evidences: Evidences) -> ProviderChoice | None:
    """The only listed candidate that is left, if it fits."""
    listed = [c for c in question.candidates if c.listed]
    if len(listed) != 1 or listed[0].pack.files:
        return None
    (candidate,) = listed
    evidence = evidences.get((candidate.pack.identity, question.type))
    if evidence is None or not evidence.fits or (evidence.total < MIN_EVIDENCE and not _others(question, evidences)):
        return None
    others = _others(question, evidences)
    because = f", and {'; '.join(others[:3])}" if others else ""
    why = f"its definition there fits the saved node ({_describe(evidence)}){because}"
    return ProviderChoice(question.type, candidate.pack, "shape", why, candidate.versions, candidate.unused)


def _others(question: ProviderQuestion, evidences: Evidences) -> list[str]:
    """What speaks against the packs that are no candidates any more."""
    own = {c.pack.identity for c in question.candidates}
    return [
        f"{identity.rpartition('/')[2]} is not it: {found.late or found.problems[0]}"
        for (identity, type_), found in sorted(evidences.items(), key=lambda item: item[0])
        if type_ == question.type and identity not in own and found.contradicts
    ]


def _describe(evidence: Evidence) -> str:
    return f"{evidence.fitting} of {evidence.total} inputs and outputs"


def _take_needed(
    question: ProviderQuestion, needed: Mapping[str, ProviderChoice], evidences: Evidences
) -> ProviderChoice | None:
    """The one candidate that another type needs by the evidence."""
    if question.core is not None or question.makers or question.unknown_names:
        return None
    found: Sequence[Candidate] = [
        c for c in question.candidates if c.listed and c.pack.identity in needed and not c.problems
    ]
    if len(found) != 1:
        return None
    (candidate,) = found
    why = (
        f'"{needed[candidate.pack.identity].type}" needs this pack anyway, and a second pack with the type would clash'
    )
    return ProviderChoice(question.type, candidate.pack, "together", why, candidate.versions, candidate.unused)
