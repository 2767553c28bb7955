"""Find modules that source trees import and nothing in their image provides."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pycomfy.core.analysis.module_names import NOT_FOR_LINUX, key, namesake, packages, standard_library
from pycomfy.core.analysis.pack_scan import ExternalImport, Scan
from pycomfy.core.lockfile.toml import render_list

Modules = Callable[[], Collection[str]]
"""Return the modules of all wheels, dotted, as listed in their files; this may take a while."""


@dataclass(frozen=True)
class MissingModule:
    """A module that `owner` imports and nothing provides. `package` has it; "" if that is not known."""

    owner: str
    module: str
    package: str
    import_: ExternalImport

    @property
    def certain(self) -> bool:
        """Whether the import happens whenever the owner is loaded."""
        return self.import_.how == "plain"


def find_missing_modules(
    scans: Mapping[str, Scan], python: str, wheels: Collection[str], modules: Modules
) -> tuple[MissingModule, ...]:
    """Return the modules that no tree, no wheel and not the standard library has. `wheels` are the names of the locked
    packages; `modules` is called only where these do not decide.

    A guarded import is left out: its code handles the missing module.
    """
    own = frozenset().union(*(scan.own_names for scan in scans.values()))
    library = standard_library(python)
    found: dict[tuple[str, str], MissingModule] = {}
    for owner, scan in scans.items():
        for import_ in scan.imports:
            module = key(import_.module)
            top = module.partition(".")[0]
            if import_.how == "guarded" or top in library or top in own or top in NOT_FOR_LINUX:
                continue
            names = packages(module)
            if not {*names, namesake(module)} & {*wheels}:
                one = MissingModule(owner, module, next(iter(names), ""), import_)
                old = found.get((owner, module))
                if old is None or (one.certain, -one.import_.line) > (old.certain, -old.import_.line):
                    found[owner, module] = one
    if not found:
        return ()
    present = modules()
    return tuple(m for _, m in sorted(found.items()) if m.module not in present)


def line_to_add(requirements: Sequence[str], missing: Sequence[MissingModule]) -> str:
    """Return the line of pycomfy.toml that adds the packages of `missing` to its `requirements`, or ""."""
    packages = sorted({m.package for m in missing} - {""})
    if not packages:
        return ""
    names = [*requirements, *packages]
    return render_list("requirements", dict.fromkeys(names))
