"""What a scan found, in the user's words: what is missing with the line that adds it, and what is not run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pycomfy.core.analysis.missing_modules import MissingModule, line_to_add
from pycomfy.core.analysis.pack_scan import INSTALL, PRESTART, Effect, Scan
from pycomfy.core.lockfile.names import COMFYUI

MAX_PLACES = 3


@dataclass(frozen=True)
class Finding:
    """One thing found in the source of `owner`, a node pack or ComfyUI. `kind` is "import", "installs", "downloads" or
    "script"; `when` it happens: for an import how firmly, else "imported", "installed" or "started". `line` is 0 where
    it is the whole file. `text` is the module, the call's source, or the script; `fix` what mends it."""

    kind: str
    owner: str
    when: str
    path: str
    line: int
    text: str
    fix: str = ""


@dataclass(frozen=True)
class Findings:
    """`notes` are for people, in a few lines; `findings` are all of it."""

    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def describe_missing_modules(
    missing: Sequence[MissingModule], requirements: Sequence[str], unread: Sequence[str]
) -> Findings:
    """`requirements` are those of pycomfy.toml, to which the missing ones are added; `unread` the wheels whose modules
    are not known, any of which might have them.

    What is only imported in some function, or under a condition, is told of node packs alone: ComfyUI does that with
    what it can do without.
    """
    certain = [m for m in missing if m.certain]
    line = line_to_add(requirements, certain)
    notes = [_note(m) for m in certain]
    if certain:
        notes.append(f"to add what is missing, write at the top of pycomfy.toml: {line}")
        if unread:
            notes.append(f"it is not known which modules are in {_some(sorted(unread))}; one of them may have it")
    for owner in sorted({m.owner for m in missing if not m.certain} - {COMFYUI}):
        soft = [m for m in missing if m.owner == owner and not m.certain]
        names = _some([f"{m.module} ({_place(m.import_.path, m.import_.line)})" for m in soft])
        notes.append(
            f"the node pack {owner} may import, while it is used, what no locked package has: {names}; "
            f"if you need it: {line_to_add(requirements, [*certain, *soft])}"
        )
    findings = tuple(
        Finding(
            "import",
            m.owner,
            m.import_.how,
            plain(m.import_.path),
            m.import_.line,
            m.module,
            line_to_add(requirements, [m]),
        )
        for m in missing
    )
    return Findings(tuple(notes), findings)


def _note(missing: MissingModule) -> str:
    who = COMFYUI if missing.owner == COMFYUI else f"the node pack {missing.owner}"
    package = f"the package is {missing.package}" if missing.known else f"perhaps of the package {missing.package}"
    place = _place(missing.import_.path, missing.import_.line)
    return f"{who} imports {missing.module} ({place}), and no locked package has it; {package}"


def describe_effects(scans: Mapping[str, Scan], stepped: Mapping[str, Sequence[Sequence[str]]]) -> Findings:
    """`stepped` are the commands of each pack's build steps: an install.py that one of them runs is not told."""
    notes: list[str] = []
    findings: list[Finding] = []
    for owner, scan in sorted(scans.items()):
        runs = any(INSTALL in command for command in stepped.get(owner, ()))
        for when, tell in (("installed", _tell_install), ("started", _tell_prestart), ("imported", _tell_import)):
            effects = [e for e in scan.effects if e.when == when]
            script = {"installed": INSTALL, "started": PRESTART}.get(when)
            if (script is not None and script not in scan.scripts) or (when == "installed" and runs):
                continue
            if script is None and not effects:
                continue
            notes.append(tell(owner, effects))
            fix = _STEP.format(owner) if when == "installed" else ""
            if script is not None:
                findings.append(Finding("script", owner, when, script, 0, script, fix))
            findings += [Finding(e.action, owner, e.when, plain(e.path), e.line, plain(e.text), fix) for e in effects]
    return Findings(tuple(notes), tuple(findings))


_STEP = 'below [packs.{}]: steps = [{{ run = ["python", "install.py"] }}]'


def _tell_install(owner: str, effects: Sequence[Effect]) -> str:
    does = f" It {_does(effects)}." if effects else ""
    return (
        f"the node pack {owner} has an {INSTALL}, which is not run.{does} Put the packages that it installs into "
        f"requirements; if it makes files, let it run while the image is built: {_STEP.format(owner)}"
    )


def _tell_prestart(owner: str, effects: Sequence[Effect]) -> str:
    does = f" There it {_does(effects)}, which fails: the container has no network." if effects else ""
    return f"the node pack {owner} has a {PRESTART}, which ComfyUI runs at each start, in the container.{does}"


def _tell_import(owner: str, effects: Sequence[Effect]) -> str:
    return (
        f"while it, or a file of it, is imported, the node pack {owner} {_does(effects)}; in the image that fails, "
        "which has no network: put packages into requirements, files into models or a build step"
    )


def _does(effects: Sequence[Effect]) -> str:
    told = []
    for deed in ("installs", "downloads"):
        places = [f"{_place(e.path, e.line)}: {plain(e.text)}" for e in effects if e.action == deed]
        if places:
            told.append(f"{deed} ({_some(places)})")
    return " and ".join(told)


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MAX_PLACES} more" if len(texts) > MAX_PLACES else ""
    return ", ".join(texts[:MAX_PLACES]) + more


def _place(path: str, line: int) -> str:
    return f"{plain(path)} line {line}"


def plain(text: str) -> str:
    """Text of a stranger, without what a terminal would obey."""
    return "".join(c if c.isprintable() else "�" for c in text)
