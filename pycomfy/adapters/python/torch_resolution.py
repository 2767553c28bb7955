"""Resolving for an accelerator: the builds of PyTorch for it, and no others, at versions of the date that was asked."""

import re
import tempfile
import tomllib
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pycomfy.adapters.python.uv_errors import find_failure, undated_names
from pycomfy.adapters.python.uv_process import make_environment, run_uv
from pycomfy.adapters.python.uv_request import ResolutionRequest, UvRequest, ask_alone, names_in, put
from pycomfy.core.python.torch_variants import (
    TORCH,
    TorchVariant,
    describe_builds,
    find_other_builds,
    find_variant,
    nearest,
    public_version,
)
from pycomfy.core.python.wheel_selection import choose_wheels
from pycomfy.errors import NoMatchingDistribution

MAX_VERSIONS = 6
MAX_SEEN = 18
MAX_UNDATED = 20


def put_for_variant(
    question: ResolutionRequest, variant: TorchVariant, folder: Path, cache: Path | None
) -> tuple[bytes | str, UvRequest]:
    """As `put`: the question, made more precise until every build in the answer is for the variant.

    PyTorch's own index says of few files when they were uploaded, and an old one that it says it of is not what is
    meant. So its packages are taken in the versions that the default index had at the date. Raises
    `NoMatchingDistribution` if a build is missing, with what there is instead.
    """
    search = _Search(question, variant, folder, cache)
    undated = set() if question.reach.has_torch else {TORCH}
    done, asking = search.ask(search.at_versions_of_the_date(question, undated))
    while isinstance(done, str) and (more := undated_names(done) - undated) and len(undated) < MAX_UNDATED:
        undated |= more
        done, asking = search.ask(search.at_versions_of_the_date(question, undated))
    question = asking.question
    if isinstance(done, bytes) and (others := _others(done, question, variant)):
        question = replace(question, constraints=(*question.constraints, *_labelled(others, variant)))
        done, asking = search.ask(question)
        if isinstance(done, str) or _others(done, question, variant):
            raise search.explain(others)
    if isinstance(done, str) and find_failure(done) is None and TORCH in names_in(done):
        version = search.plain.get(TORCH, "")
        if version and not search.has_build(TORCH, version, question):
            raise search.explain({TORCH: version})
    return done, asking


def _versions(answer: bytes) -> dict[str, str]:
    return {str(p.get("name")): str(p.get("version", "")) for p in tomllib.loads(answer.decode()).get("packages", ())}


def _others(answer: bytes, question: ResolutionRequest, variant: TorchVariant) -> dict[str, str]:
    """The version of every package that is for something else than the variant."""
    target = question.target
    wheels = choose_wheels(tomllib.loads(answer.decode()), target.platform, target.python)
    return {wheel.name: public_version(wheel.version) for wheel in find_other_builds(wheels, variant)}


def _labelled(versions: Mapping[str, str], variant: TorchVariant) -> list[str]:
    return [f"{name}=={version}+{variant.accelerator}" for name, version in sorted(versions.items())]


@dataclass(frozen=True)
class _Search:
    """For builds of a variant; `folder` is for the questions to uv."""

    question: ResolutionRequest
    variant: TorchVariant
    folder: Path
    cache: Path | None

    def ask(self, question: ResolutionRequest) -> tuple[bytes | str, UvRequest]:
        return put(question, Path(tempfile.mkdtemp(dir=self.folder)), self.cache)

    @cached_property
    def plain(self) -> Mapping[str, str]:
        """The version of each package without an accelerator, as the default index has it; none if there is no such
        answer."""
        reach = self.question.reach
        indexes = tuple(index for index in reach.indexes if not index.per_accelerator)
        done, _ = self.ask(replace(self.question, reach=replace(reach, indexes=indexes, accelerator=None)))
        return {n: public_version(v) for n, v in _versions(done).items()} if isinstance(done, bytes) else {}

    def at_versions_of_the_date(self, question: ResolutionRequest, undated: Set[str]) -> ResolutionRequest:
        """The question, for which the date of these packages does not matter: they are what they were without an
        accelerator. What was not there then is bound by those that bring it along."""
        if not undated:
            return question
        pins = [f"{name}=={self.plain[name]}" for name in sorted(undated & self.plain.keys())]
        return replace(
            question,
            constraints=(*question.constraints, *pins),
            undated=tuple(sorted({*question.undated, *undated})),
        )

    def explain(self, missing: Mapping[str, str]) -> NoMatchingDistribution:
        """What builds there are instead of these versions; uv is asked for each alone."""
        name = TORCH if TORCH in missing else min(missing)
        version, asked, target = missing[name], self.variant.accelerator, self.question.target
        found = self.list_versions(name)
        near = nearest(self.known(), asked)
        instead = [other for other in near if self.has_build(name, version, _for(self.question, other))]
        fixes = [f'requirements = ["{name}=={found[0]}"]'] if found else []
        fixes += [f'accelerator = "{instead[0]}"'] if instead else []
        if target.platform == "linux/arm64":
            fixes.append('platforms = ["linux/amd64"], as few builds are for arm64')
        return NoMatchingDistribution(
            f"{name} {version} has no build for {asked} on {target.platform}, Python {target.python}: "
            + describe_builds(name, version, found, instead),
            where=f'accelerator = "{asked}"',
            fix="in pycomfy.toml: " + ", or ".join(fixes or ["another accelerator, or none"]),
        )

    def list_versions(self, name: str) -> list[str]:
        """The newest versions with a build for the variant, the newest first."""
        seen: list[str] = []
        found: list[str] = []
        while len(seen) < MAX_SEEN and len(found) < MAX_VERSIONS:
            answer = self.alone(name + ",".join(f"!={version}" for version in seen), self.question)
            version = _versions(answer).get(name) if isinstance(answer, bytes) else None
            if version is None or isinstance(answer, str):
                break
            seen.append(version)
            if not _others(answer, self.question, self.variant):
                found.append(public_version(version))
        return list(dict.fromkeys(found))

    def has_build(self, name: str, version: str, question: ResolutionRequest) -> bool:
        """Whether there is this version of a package for the accelerator of `question`."""
        variant = find_variant(question.reach, question.target.platform)
        for line in (f"{name}=={version}+{question.reach.accelerator}", f"{name}=={version}"):
            answer = self.alone(line, question)
            if variant is not None and isinstance(answer, bytes) and not _others(answer, question, variant):
                return True
        return False

    def alone(self, line: str, question: ResolutionRequest) -> bytes | str:
        return ask_alone(line, question.target, question.reach, Path(tempfile.mkdtemp(dir=self.folder)))

    def known(self) -> list[str]:
        """The accelerators that uv knows: it lists them when it is asked for one that it does not."""
        said = run_uv(["--torch-backend=none", "-"], self.folder, make_environment(self.question.reach))
        values = re.search(r"possible values: ([^\]]*)\]", said) if isinstance(said, str) else None
        return [v.strip() for v in values[1].split(",")] if values else []


def _for(question: ResolutionRequest, accelerator: str) -> ResolutionRequest:
    return replace(question, reach=replace(question.reach, accelerator=accelerator))
