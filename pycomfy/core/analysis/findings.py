"""Describe the result of a scan: what is missing, with the line that adds it, and which scripts do not run."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pycomfy.core.analysis.missing_modules import MissingModule, line_to_add
from pycomfy.core.analysis.pack_scan import INSTALL, PRESTART, Effect, Scan, SystemUse, When
from pycomfy.core.analysis.system_uses import GITPYTHON, PROGRAMS, font_package, is_font_folder
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.toml import at_top, render_list

MAX_LISTED = 3

_FIND_OUT = (
    "read in the documentation of who imports these modules which packages or node packs have them, and add those to "
    "pycomfy.toml; a package that only has such a name may be anybody's"
)


@dataclass(frozen=True)
class Finding:
    """One finding in the source of `owner`, a node pack or ComfyUI. `kind` is "import", "installs", "downloads",
    "script", "program", "font" or "weights"; `when` it runs: for an import a `How`, else "imported", "installed",
    "started" or "used"; it is `certain` unless a condition decides. `line` is 0 for a whole file. `text` is the module,
    the call's source, the script, the name of the program or font, or the address or repository of the weights; `fix`
    the line of pycomfy.toml that helps, or ""."""

    kind: str
    owner: str
    when: str
    path: str
    line: int
    text: str
    fix: str = ""
    certain: bool = True


@dataclass(frozen=True)
class Findings:
    """All `findings`, and a few `notes` that summarise them for a person."""

    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def describe_missing_modules(
    missing: Sequence[MissingModule], requirements: Sequence[str], unread: Sequence[str]
) -> Findings:
    """Describe missing modules. `requirements` are those of pycomfy.toml, to which the missing ones are added; `unread`
    are wheels with unknown modules, any of them may have the missing ones.

    Imports in functions or under conditions are noted for node packs only: ComfyUI has them for what it can do
    without.
    """
    certain = [m for m in missing if m.certain]
    line = line_to_add(requirements, certain)
    notes = [_note(m) for m in certain]
    if line:
        notes.append(f"to add the missing packages, write {at_top(line, 'requirements' if requirements else '')}")
    if unknown := sorted({m.module for m in certain if not m.package}):
        notes.append(f"{_FIND_OUT}: {_list_some(unknown)}")
    if certain and unread:
        notes.append(f"the modules in {_list_some(sorted(unread))} are not known; one of them may be the missing one")
    possible = [m for m in missing if not m.certain and not m.perhaps_own]
    for owner in sorted({m.owner for m in possible} - {COMFYUI}):
        soft = [m for m in possible if m.owner == owner]
        names = _list_some([f"{m.module} ({_location(m.import_.path, m.import_.line)})" for m in soft])
        more = line_to_add(requirements, soft) and line_to_add(requirements, [*certain, *soft])
        notes.append(
            f"the node pack {owner} may import modules, under conditions or while it is used, that no locked package "
            f"has: {names}; "
            + (f"if you need them: {more}" if more else "if you need them, add the packages that have them")
        )
    findings = tuple(
        Finding(
            "import",
            m.owner,
            m.import_.how,
            m.import_.path,
            m.import_.line,
            m.module,
            line_to_add(requirements, [m]),
            m.certain,
        )
        for m in missing
    )
    return Findings(tuple(notes), findings)


def _note(missing: MissingModule) -> str:
    who = COMFYUI if missing.owner == COMFYUI else f"the node pack {missing.owner}"
    package = f"it is in the package {missing.package}" if missing.package else "it is unknown which package has it"
    location = _location(missing.import_.path, missing.import_.line)
    return f"{who} imports {missing.module} ({location}), which no locked package has; {package}"


def describe_effects(
    scans: Mapping[str, Scan],
    steps: Mapping[str, Sequence[Sequence[str]]],
    unnamed: Mapping[str, str] | None = None,
) -> Findings:
    """Describe what packs install, download and run. `steps` are the commands of each pack's build steps: an install.py
    that one of them runs is left out. `unnamed` are packs without a section in pycomfy.toml, with the keys for their
    source, which a section needs, too."""
    notes: list[str] = []
    findings: list[Finding] = []
    for owner, scan in sorted(scans.items()):
        runs = any(INSTALL in command for command in steps.get(owner, ()))
        source = (unnamed or {}).get(owner)
        step = _STEP.format(owner, f", beside {source}" if source else "")
        for when, describe in _DESCRIPTIONS:
            effects = [e for e in scan.effects if e.when == when]
            script = {"installed": INSTALL, "started": PRESTART}.get(when)
            if (script is not None and script not in scan.scripts) or (when == "installed" and runs):
                continue
            if script is None and not effects:
                continue
            notes += describe(owner, effects, step)
            fix = step if when == "installed" else ""
            if script is not None:
                findings.append(Finding("script", owner, when, script, 0, script, fix))
            findings += [Finding(e.action, owner, e.when, e.path, e.line, e.text, fix, e.certain) for e in effects]
    return Findings(tuple(notes), tuple(findings))


def describe_uses(scans: Mapping[str, Scan], apt: Sequence[str], wheels: Collection[str]) -> Findings:
    """Describe the programs and fonts of the system that packs use, which no package in `apt`, that of pycomfy.toml,
    has; and the weights that they download while their nodes run. `wheels` are the names of the locked packages."""
    notes: list[str] = []
    findings: list[Finding] = []
    lacking: dict[str, list[str]] = {}
    for owner, scan in sorted(scans.items()):
        imported = _git_imports(scan) if GITPYTHON in wheels else ()
        uses = {(use.kind, use.name): use for use in (*scan.uses, *imported)}.values()
        for use in uses:
            package = "" if use.kind == "weights" else _system_package(use)
            if package in apt or (is_font_folder(use.name) and any(name.startswith("fonts-") for name in apt)):
                continue
            fix = render_list("apt", dict.fromkeys([*apt, package])) if package else ""
            findings.append(Finding(use.kind, owner, "used", use.path, use.line, use.name, fix, certain=False))
            if package:
                lacking.setdefault(package, []).append(f"{owner}: {use.name}, {_location(use.path, use.line)}")
        weights = [use.name for use in uses if use.kind == "weights"]
        if weights:
            notes.append(
                f"nodes of the pack {owner} may download weights while they run: {_list_some(weights)}; a container "
                "has no network, so provide what you need as a model, or run with a network"
            )
    if lacking:
        users = "; ".join(f"{package} ({_list_some(places)})" for package, places in sorted(lacking.items()))
        line = render_list("apt", dict.fromkeys([*apt, *sorted(lacking)]))
        notes.append(
            f"node packs use programs or fonts that are in Debian packages which the image does not have: {users}; for "
            f"what you need of them, write {at_top(line, 'apt' if apt else '')}"
        )
    return Findings(tuple(notes), tuple(findings))


def _git_imports(scan: Scan) -> Iterator[SystemUse]:
    for one in scan.imports:
        if one.module.partition(".")[0] == "git" and one.how != "guarded":
            yield SystemUse("program", "git", one.path, one.line)


def _system_package(use: SystemUse) -> str:
    return PROGRAMS.get(use.name, "") if use.kind == "program" else font_package(use.name) or ""


_STEP = 'below [packs.{}] in pycomfy.toml{}: steps = [{{ run = ["python", "install.py"] }}]'


def _describe_install(owner: str, effects: Sequence[Effect], step: str) -> list[str]:
    does = f" It {_list_actions(effects)}." if effects else ""
    return [
        f"the node pack {owner} has an {INSTALL}, which is not run.{does} Add the packages that it installs to "
        f"requirements; if it makes files, run it while the image is built: {step}"
    ]


def _describe_prestart(owner: str, effects: Sequence[Effect], _: str) -> list[str]:
    certain, possible = _split(effects)
    does = f" It {_list_actions(certain)}, which fails: the container has no network." if certain else ""
    does += f" Under conditions it {_list_actions(possible)}, which would fail." if possible else ""
    return [f"the node pack {owner} has a {PRESTART}, which ComfyUI runs at each start, in the container.{does}"]


def _describe_import(owner: str, effects: Sequence[Effect], _: str) -> list[str]:
    certain, possible = _split(effects)
    notes = []
    if certain:
        notes.append(
            f"while its files are imported, the node pack {owner} {_list_actions(certain)}; this fails in the image, "
            "which has no network: add packages to requirements, files to models or to a build step"
        )
    if possible:
        notes.append(
            f"while its files are imported, the node pack {owner} may do this, under conditions: it "
            f"{_list_actions(possible)}; the image has no network: what is there already is not fetched"
        )
    return notes


def _split(effects: Sequence[Effect]) -> tuple[list[Effect], list[Effect]]:
    return [e for e in effects if e.certain], [e for e in effects if not e.certain]


_DESCRIPTIONS: tuple[tuple[When, Callable[[str, Sequence[Effect], str], list[str]]], ...] = (
    ("installed", _describe_install),
    ("started", _describe_prestart),
    ("imported", _describe_import),
)


def _list_actions(effects: Sequence[Effect]) -> str:
    texts = []
    for action in ("installs", "downloads"):
        calls = [f"{_location(e.path, e.line)}: {e.text}" for e in effects if e.action == action]
        if calls:
            texts.append(f"{action} ({_list_some(calls)})")
    return " and ".join(texts)


def _list_some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MAX_LISTED} more" if len(texts) > MAX_LISTED else ""
    return ", ".join(texts[:MAX_LISTED]) + more


def _location(path: str, line: int) -> str:
    return f"{path} line {line}"
