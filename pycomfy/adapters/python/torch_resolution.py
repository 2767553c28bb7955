"""Resolve for an accelerator: with the builds of PyTorch for it, and no others, in versions as of the date."""

import re
import tempfile
import tomllib
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pycomfy.adapters.python.uv_errors import find_failure, undated_names
from pycomfy.adapters.python.uv_process import UvOutcome, make_environment, run_uv
from pycomfy.adapters.python.uv_request import ResolutionRequest, UvRequest, names_in, resolve, resolve_single
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


def resolve_for_variant(
    request: ResolutionRequest, variant: TorchVariant, folder: Path, cache: Path | None
) -> tuple[UvOutcome, UvRequest]:
    """Return what `resolve` returns, with the request made more precise until every build is for the variant.

    PyTorch's own index has upload dates for few files, and an old file with a date is not the right one. So PyTorch's
    packages are taken in the versions that the default index had at the date. Raises `NoMatchingDistribution` if a
    build is missing, with what there is instead.
    """
    search = _Search(request, variant, folder, cache)
    undated = set() if request.index_config.has_torch else {TORCH}
    outcome, uv = search.resolve(search.at_dated_versions(request, undated))
    while isinstance(outcome, str) and (more := undated_names(outcome) - undated) and len(undated) < MAX_UNDATED:
        undated |= more
        outcome, uv = search.resolve(search.at_dated_versions(request, undated))
    request = uv.request
    if isinstance(outcome, bytes) and (others := _find_others(outcome, request, variant)):
        request = replace(request, constraints=(*request.constraints, *_label(others, variant)))
        outcome, uv = search.resolve(request)
        if isinstance(outcome, str) or _find_others(outcome, request, variant):
            raise search.explain(others)
    if isinstance(outcome, str) and find_failure(outcome) is None and TORCH in names_in(outcome):
        version = search.plain_versions.get(TORCH, "")
        if version and not search.has_build(TORCH, version, request):
            raise search.explain({TORCH: version})
    return outcome, uv


def _versions(answer: bytes) -> dict[str, str]:
    return {str(p.get("name")): str(p.get("version", "")) for p in tomllib.loads(answer.decode()).get("packages", ())}


def _find_others(answer: bytes, request: ResolutionRequest, variant: TorchVariant) -> dict[str, str]:
    """Return the version of every package whose build is not for the variant."""
    target = request.target
    wheels = choose_wheels(tomllib.loads(answer.decode()), target.platform, target.python)
    return {wheel.name: public_version(wheel.version) for wheel in find_other_builds(wheels, variant)}


def _label(versions: Mapping[str, str], variant: TorchVariant) -> list[str]:
    return [f"{name}=={version}+{variant.accelerator}" for name, version in sorted(versions.items())]


@dataclass(frozen=True)
class _Search:
    """A search for builds of a variant; `folder` is for the requests to uv."""

    request: ResolutionRequest
    variant: TorchVariant
    folder: Path
    cache: Path | None

    def resolve(self, request: ResolutionRequest) -> tuple[UvOutcome, UvRequest]:
        return resolve(request, Path(tempfile.mkdtemp(dir=self.folder)), self.cache)

    @cached_property
    def plain_versions(self) -> Mapping[str, str]:
        """The version of each package without an accelerator, from the default index; none if that has no answer."""
        config = self.request.index_config
        indexes = tuple(index for index in config.indexes if not index.per_accelerator)
        plain = replace(config, indexes=indexes, accelerator=None)
        outcome, _ = self.resolve(replace(self.request, index_config=plain))
        return {n: public_version(v) for n, v in _versions(outcome).items()} if isinstance(outcome, bytes) else {}

    def at_dated_versions(self, request: ResolutionRequest, undated: Set[str]) -> ResolutionRequest:
        """Return the request with `undated` packages, whose dates do not matter then, in the versions that they have
        without an accelerator. What has no such version is constrained by whatever requires it."""
        if not undated:
            return request
        pins = [f"{name}=={self.plain_versions[name]}" for name in sorted(undated & self.plain_versions.keys())]
        return replace(
            request,
            constraints=(*request.constraints, *pins),
            undated=tuple(sorted({*request.undated, *undated})),
        )

    def explain(self, missing: Mapping[str, str]) -> NoMatchingDistribution:
        """Return the error for missing builds, with what there is instead; uv resolves each of these alone."""
        name = TORCH if TORCH in missing else min(missing)
        version, accelerator, target = missing[name], self.variant.accelerator, self.request.target
        found = self.list_versions(name)
        near = nearest(self.list_accelerators(), accelerator)
        instead = [other for other in near if self.has_build(name, version, _with_accelerator(self.request, other))]
        fixes = [f'in pycomfy.toml: requirements = ["{name}=={found[0]}"]'] if found else []
        fixes += [f'in pycomfy.toml: accelerator = "{instead[0]}"'] if instead else []
        if target.platform == "linux/arm64":
            fixes.append('in pycomfy.toml: platforms = ["linux/amd64"], as few builds are for arm64')
        return NoMatchingDistribution(
            f"{name} {version} has no build for {accelerator} on {target.platform}, Python {target.python}: "
            + describe_builds(name, version, found, instead),
            where=f'accelerator = "{accelerator}"',
            fix=fixes or ["in pycomfy.toml: another accelerator, or none"],
        )

    def list_versions(self, name: str) -> list[str]:
        """Return the newest versions with a build for the variant, the newest first."""
        seen: list[str] = []
        found: list[str] = []
        while len(seen) < MAX_SEEN and len(found) < MAX_VERSIONS:
            outcome = self.resolve_single(name + ",".join(f"!={version}" for version in seen), self.request)
            version = _versions(outcome).get(name) if isinstance(outcome, bytes) else None
            if version is None or isinstance(outcome, str):
                break
            seen.append(version)
            if not _find_others(outcome, self.request, self.variant):
                found.append(public_version(version))
        return list(dict.fromkeys(found))

    def has_build(self, name: str, version: str, request: ResolutionRequest) -> bool:
        """Return whether a package has this version for the request's accelerator."""
        variant = find_variant(request.index_config, request.target.platform)
        for line in (f"{name}=={version}+{request.index_config.accelerator}", f"{name}=={version}"):
            outcome = self.resolve_single(line, request)
            if variant is not None and isinstance(outcome, bytes) and not _find_others(outcome, request, variant):
                return True
        return False

    def resolve_single(self, line: str, request: ResolutionRequest) -> UvOutcome:
        return resolve_single(line, request.target, request.index_config, Path(tempfile.mkdtemp(dir=self.folder)))

    def list_accelerators(self) -> list[str]:
        """Return the accelerators that uv knows: it lists them when it gets one that it does not know."""
        outcome = run_uv(["--torch-backend=none", "-"], self.folder, make_environment(self.request.index_config))
        values = re.search(r"possible values: ([^\]]*)\]", outcome) if isinstance(outcome, str) else None
        return [v.strip() for v in values[1].split(",")] if values else []


def _with_accelerator(request: ResolutionRequest, accelerator: str) -> ResolutionRequest:
    return replace(request, index_config=replace(request.index_config, accelerator=accelerator))
