"""Decide whether the image gets a C compiler and Python's headers: where Triton or torch.compile runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.catalog.node_type_cache import read_pack
from pycomfy.core.analysis.class_files import find_class_files
from pycomfy.core.debian.base_packages import compiler_packages
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.python.requirements import RequirementLine, RequirementSet, make_requirement_set
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.requirements.providers import running_types
from pycomfy.services.lock.sources import PinnedCode
from pycomfy.services.workspace import Workspace

COMPILING_NODES = frozenset({"TorchCompileModel"})
"""ComfyUI's own node types that compile while they run."""

COMPILING_PACKAGES = frozenset({"sageattention", "triton"})
"""Packages that compile while they run, if they are required by name: PyTorch brings Triton into every image."""

MAX_LISTED = 3


@dataclass(frozen=True)
class CompilerPlan:
    """`reasons` are what compiles while it runs, each as a phrase; `packages` are the Debian packages that the image
    gets for it."""

    packages: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def requirement_sets(self) -> tuple[RequirementSet, ...]:
        """What inductor imports from setuptools, which virtual environments of Python 3.11 have; only newer PyTorch
        requires it."""
        return (make_requirement_set("the compiler", ["setuptools"], "[image] compiler"),) if self.packages else ()

    def extend(self, config: Config) -> Config:
        """Return the configuration with these packages."""
        return config.model_copy(update={"apt": (*config.apt, *self.packages)}) if self.packages else config

    def note(self, size: int) -> list[str]:
        """Return a remark for the user, if there are reasons. `size` are the bytes of the packages to download; 0 if
        unknown."""
        if not self.reasons:
            return []
        more = f" and {len(self.reasons) - MAX_LISTED} more" if len(self.reasons) > MAX_LISTED else ""
        listed = ", ".join(self.reasons[:MAX_LISTED]) + more
        if not self.packages:
            return [f"the image has no C compiler, as pycomfy.toml says; these need one when they run: {listed}"]
        cost = f" ({size / 1e6:.0f} MB to download)" if size else ""
        return [
            f"the image has a C compiler and Python's headers{cost}, because these need them when they run: {listed}; "
            "to leave them out, below [image] in pycomfy.toml: compiler = false"
        ]


def plan_compiler(
    workspace: Workspace,
    config: Config,
    code: PinnedCode,
    nodes: Sequence[RequiredNode],
    requirement_sets: Sequence[RequirementSet],
) -> CompilerPlan:
    """Return what the image gets. `config.image` decides; without it, it gets a compiler if there is a reason."""
    types = (running_types(nodes).keys() & COMPILING_NODES) - {*chain.from_iterable(code.provided.values())}
    reasons = [
        *(f"the node type {type_}" for type_ in sorted(types)),
        *_find_requirements(config, requirement_sets),
        *_find_code(workspace, code),
    ]
    wanted = bool(reasons) if config.image.compiler is None else config.image.compiler
    return CompilerPlan(compiler_packages(config.python) if wanted else (), tuple(reasons))


def _find_requirements(config: Config, requirement_sets: Sequence[RequirementSet]) -> Iterator[str]:
    environments = [Target(platform, config.python).environment() for platform in config.platforms]
    for one in requirement_sets:
        for line in one.requirements:
            if canonicalize_name(line.name) not in COMPILING_PACKAGES:
                continue
            marker = _marker(line)
            if not marker or any(Marker(marker).evaluate(environment) for environment in environments):
                yield f"{line.name} (required by {one.origin})"


def _marker(line: RequirementLine) -> str:
    if line.direct_reference is not None:
        return line.direct_reference.marker
    return str(Requirement(line.text).marker or "")


def _find_code(workspace: Workspace, code: PinnedCode) -> Iterator[str]:
    """What compiles in files that define the types that the workflow uses, or that these import; in all files of a pack
    where the file of a type is not known."""
    for name, types in sorted(code.provided.items()):
        if name == COMFYUI or not types:
            continue
        reading = read_pack(code.sources[name].files, workspace.paths.cache)
        if not reading.scan.compilations:
            continue
        sources = code.sources[name].files
        known = {type_: reading.types.get(type_, "") for type_ in types}
        found = [{file} if file else find_class_files(sources, type_) for type_, file in known.items()]
        files = {*chain.from_iterable(found)}
        for one in reading.scan.compilations:
            if not all(found) or files & {*one.importers}:
                yield f"{one.what} in the node pack {name} ({one.path} line {one.line})"
                break
