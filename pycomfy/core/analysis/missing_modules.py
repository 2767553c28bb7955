"""What trees import and nothing in their image supplies."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pycomfy.core.analysis.module_names import NOT_FOR_LINUX, key, packages, standard_library
from pycomfy.core.analysis.pack_scan import ExternalImport, Scan
from pycomfy.core.lockfile.toml import render_list

Modules = Callable[[], Collection[str]]
"""The modules of all wheels, dotted, as their files say; it may take a while to ask."""


@dataclass(frozen=True)
class MissingModule:
    """A module that `owner` imports and nothing provides. `package` probably has it; `known` says whether that is
    certain, or only derived from the module's name."""

    owner: str
    module: str
    package: str
    known: bool
    import_: ExternalImport

    @property
    def certain(self) -> bool:
        """Whether the import happens whenever the owner is loaded."""
        return self.import_.how == "plain"


def find_missing_modules(
    scans: Mapping[str, Scan], python: str, wheels: Collection[str], modules: Modules
) -> tuple[MissingModule, ...]:
    """What no tree has, nor the standard library, nor a wheel. `wheels` are the names of the locked packages; only
    where those do not settle it, `modules` is asked.

    An import that expects to fail is not told: the code says itself that it goes without.
    """
    own = frozenset().union(*(scan.own_names for scan in scans.values()))
    library = standard_library(python)
    found: dict[tuple[str, str], MissingModule] = {}
    for owner, scan in scans.items():
        for needed in scan.imports:
            module = key(needed.module)
            top = module.partition(".")[0]
            if needed.how == "guarded" or top in library or top in own or top in NOT_FOR_LINUX:
                continue
            names, known = packages(module)
            if not {*names} & {*wheels}:
                one = MissingModule(owner, module, names[0], known, needed)
                old = found.get((owner, module))
                if old is None or (one.certain, -one.import_.line) > (old.certain, -old.import_.line):
                    found[owner, module] = one
    if not found:
        return ()
    there = modules()
    return tuple(m for _, m in sorted(found.items()) if m.module not in there)


def line_to_add(requirements: Sequence[str], missing: Sequence[MissingModule]) -> str:
    """The line of pycomfy.toml that adds the packages of `missing` to the `requirements` that it has."""
    names = [*requirements, *sorted({m.package for m in missing})]
    return render_list("requirements", dict.fromkeys(names))
