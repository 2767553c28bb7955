"""Find modules that source trees import and nothing in their image provides."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pycomfy.core.analysis.module_names import NOT_FOR_LINUX, key, namesake, packages, standard_library
from pycomfy.core.analysis.pack_scan import ExternalImport, Scan
from pycomfy.core.lockfile.toml import render_list

Modules = Callable[[], Collection[str]]
"""Return the modules of all wheels, dotted, as listed in their files; this may take a while."""


@dataclass(frozen=True)
class MissingModule:
    """A module that `owner` imports and nothing provides. `package` has it; "" if that is not known. `perhaps_own`:
    the owner has files that were not read, and one of them may be the module."""

    owner: str
    module: str
    package: str
    import_: ExternalImport
    perhaps_own: bool = False

    @property
    def certain(self) -> bool:
        """Whether the import happens whenever the owner is loaded."""
        return self.import_.how == "plain"


def find_missing_modules(
    scans: Mapping[str, Scan], python: str, wheels: Collection[str], modules: Modules
) -> tuple[MissingModule, ...]:
    """Return the modules that no tree, no wheel and not the standard library has. `wheels` are the names of the locked
    packages; `modules` is called only where these do not decide.

    Left out are guarded imports, as their code handles the missing module, and those of other node packs that run only
    under conditions, as a pack uses them where they are installed.
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
            if not names and import_.how != "plain" and is_pack_folder(top):
                continue
            if not {*names, namesake(module)} & {*wheels}:
                one = MissingModule(owner, module, next(iter(names), ""), import_, scan.partial)
                old = found.get((owner, module))
                if old is None or (one.certain, -one.import_.line) > (old.certain, -old.import_.line):
                    found[owner, module] = one
    if not found:
        return ()
    present = modules()
    return tuple(m for _, m in sorted(found.items()) if m.module not in present)


def without_needless(scans: Mapping[str, Scan], python: str, wheels: Collection[str]) -> dict[str, Scan]:
    """Return the scans without what is only installed where a module is missing that the image has: in the tree, the
    standard library, or the locked packages, whose names are `wheels`."""
    library = standard_library(python)

    def has(module: str, scan: Scan) -> bool:
        module = key(module)
        top = module.partition(".")[0]
        known = {*packages(module), namesake(module)} & {*wheels}
        return bool(known) or top in library or top in scan.own_names

    return {
        owner: replace(
            scan, effects=tuple(e for e in scan.effects if not e.unless or not all(has(m, scan) for m in e.unless))
        )
        for owner, scan in scans.items()
    }


def is_pack_folder(module: str) -> bool:
    """Return whether a module's name is that of a node pack's folder: `ComfyUI-Advanced-ControlNet`, which no package
    can have, or `ComfyUI_ADV_CLIP_emb`."""
    return not module.isidentifier() or module.lower().startswith("comfyui_")


def line_to_add(requirements: Sequence[str], missing: Sequence[MissingModule]) -> str:
    """Return the line of pycomfy.toml that adds the packages of `missing` to its `requirements`, or ""."""
    packages = sorted({m.package for m in missing} - {""})
    if not packages:
        return ""
    names = [*requirements, *packages]
    return render_list("requirements", dict.fromkeys(names))
