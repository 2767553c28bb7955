"""Find what a lock cannot pin in the sources: modules that no requirement declares, and code that installs."""

from collections.abc import Collection, Mapping, Sequence

from pycomfy.adapters.catalog.node_type_cache import read_comfyui, read_pack
from pycomfy.adapters.python.wheel_contents import read_modules
from pycomfy.adapters.sources.adapter import PinnedSource
from pycomfy.core.analysis.findings import Findings, describe_effects, describe_missing_modules, describe_uses
from pycomfy.core.analysis.missing_modules import MissingModule, find_missing_modules, without_needless
from pycomfy.core.analysis.pack_scan import Scan, soften
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.sources.git import GitSource
from pycomfy.services.workspace import Workspace


def find_findings(
    workspace: Workspace,
    config: Config,
    sources: Mapping[str, PinnedSource],
    wheels: Mapping[PlatformName, Sequence[Wheel]],
    named: Collection[str],
) -> Findings:
    """Scan ComfyUI and every node pack; pycomfy.toml has sections of those that are `named`. No code of them is run;
    each tree is parsed once, for this and for its node types."""
    scans = {name: _scan(workspace, name, pinned) for name, pinned in sources.items()}
    missing: dict[tuple[str, str], MissingModule] = {}
    unread: set[str] = set()
    for platform in wheels:
        found, unread_wheels = _find_missing(workspace, scans, config.python, wheels[platform])
        unread.update(unread_wheels)
        for one in found:
            missing.setdefault((one.owner, one.module), one)
    undeclared = describe_missing_modules([m for _, m in sorted(missing.items())], config.requirements, sorted(unread))
    packs = {name: scan for name, scan in scans.items() if name != COMFYUI}
    names = {wheel.name for platform in wheels.values() for wheel in platform}
    needed = without_needless(packs, config.python, names)
    steps = {name: [step.run for step in spec.steps] for name, spec in config.packs.items()}
    unnamed = {
        name: f'git = "{pinned.source.url}" and rev = "{pinned.source.commit}"'
        for name, pinned in sources.items()
        if isinstance(pinned.source, GitSource) and name not in named
    }
    effects = describe_effects(needed, steps, unnamed)
    parts = (undeclared, effects, describe_uses(packs, config.apt, names))
    return Findings(tuple(n for p in parts for n in p.notes), tuple(f for p in parts for f in p.findings))


def _scan(workspace: Workspace, name: str, pinned: PinnedSource) -> Scan:
    read = read_comfyui if name == COMFYUI else read_pack
    scan = read(pinned.files, workspace.paths.cache).scan
    # The files of submodules are in the tree, but were not scanned.
    return soften(scan) if pinned.has_more_files else scan


def _find_missing(
    workspace: Workspace, scans: Mapping[str, Scan], python: str, wheels: Sequence[Wheel]
) -> tuple[Sequence[MissingModule], Sequence[str]]:
    """The missing modules of a platform, and the wheels that could not be read."""
    unread: list[str] = []

    def modules() -> frozenset[str]:
        found, unread_wheels = read_modules(wheels, workspace.paths)
        unread.extend(unread_wheels)
        return found

    return find_missing_modules(scans, python, {w.name for w in wheels}, modules), unread
