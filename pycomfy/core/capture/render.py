"""The pycomfy.toml and the notes of a captured installation, for people to read."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from pycomfy.core.capture.model import Capture, CapturedCode, CapturedModel, CapturedPython
from pycomfy.core.capture.package_plan import PackagePlan
from pycomfy.core.lockfile.toml import render_key, render_value
from pycomfy.core.workflow.untrusted_json import shown

MAX_NAMED = 8


def render_config(found: Capture, name: str | None = None) -> str:
    """pycomfy.toml: what asks for the same as was found, with comments that say where each pin is from; `name` is the
    workflow's."""
    lines = ["# Written by `pycomfy capture`: what is installed in", f"# {shown(found.comfyui.place)}", ""]
    lines += [f"name = {render_value(name)}"] if name is not None else []
    lines += _top(found)
    lines += ["", "[comfyui]", *_code(found.comfyui)]
    for pack in found.packs:
        lines += ["", f"[packs.{render_key(pack.name)}]", *_code(pack)]
        for step in pack.steps:
            lines += ["", f"[[packs.{render_key(pack.name)}.steps]]", f"run = {render_value(list(step))}"]
    for model in found.models:
        lines += ["", "[[models]]", *_model(model)]
    return "\n".join(lines) + "\n"


def infer_as_of(found: Capture) -> datetime | None:
    """When the installation was last changed, as far as is known: no package in it can be newer."""
    if found.as_of is not None:
        return found.as_of
    moments = [code.date for code in found.code] + [found.python.newest if found.python is not None else None]
    return max((m for m in moments if m is not None), default=None)


def list_lost(found: Capture) -> list[str]:
    """What the lock cannot have, or will have otherwise than it is there."""
    lost = [f"{code.name}: {left}" for code in found.code for left in code.left]
    return lost + [f"package {one}" for one in (found.python.plan.lost if found.python is not None else ())]


def list_notes(found: Capture) -> list[str]:
    """Remarks on all parts, each once."""
    notes = [f"{code.name}: {note}" for code in found.code for note in code.notes]
    notes += found.python.plan.notes if found.python is not None else ()
    return list(dict.fromkeys([*notes, *found.notes]))


def render_notes(found: Capture) -> str:
    """NOTES.md: what a person should know who builds from this."""
    parts: list[tuple[str, Sequence[str]]] = [
        ("Cannot be had", list_lost(found)),
        ("Remarks", list_notes(found)),
        ("Changed files, in patches/", [f"{c.name}: {path}" for c in found.code if c.patch for path in c.changed]),
        ("Disabled node packs, not captured", found.disabled),
        ("ComfyUI-Manager", _manager(found)),
    ]
    lines = ["# What was captured", "", f"From {_code_text(found.comfyui.place)}.", ""]
    lines += [f"- {_code_text(code.name)}: {_summary(code)}" for code in found.code]
    if found.python is not None:
        lines.append(f"- {_python(found.python)}, {len(found.python.plan.pins)} packages")
    if found.models:
        lines.append(f"- Models: {len(found.models)}, {sum(m.size for m in found.models) / 1e9:.2f} GB")
    for title, items in parts:
        if items:
            lines += ["", f"## {title}", "", *(f"- {_code_text(item)}" for item in items)]
    return "\n".join(lines) + "\n"


# — the parts —


def _top(found: Capture) -> Iterator[str]:
    moment = infer_as_of(found)
    if moment is not None:
        yield "# The newest of what is there is from then; no newer Python package is taken."
        yield f"as-of = {moment:%Y-%m-%dT%H:%M:%SZ}"
    python = found.python
    if python is None:
        yield "# No Python environment was found: packages are resolved as of that date."
        return
    yield f"# {_python(python)}"
    yield f"python = {render_value(python.taken)}"
    plan = python.plan
    if plan.platforms:
        yield f"platforms = {render_value(list(plan.platforms))}"
    if plan.accelerator is not None:
        yield "# PyTorch's builds have this in their versions."
        yield f"accelerator = {render_value(plan.accelerator)}"
    yield from _packages(plan)


def _packages(plan: PackagePlan) -> Iterator[str]:
    urls = [pin for pin in plan.pins if " @ " in pin]
    names = [pin.partition("==")[0] for pin in plan.pins if " @ " not in pin]
    if plan.roots and plan.pins:
        yield ""
        yield "# Every package that is installed, also those that nothing asks for."
        yield "requirements = ["
        yield from textwrap.wrap(
            ", ".join(render_value(name) for name in names) + ("," if names else ""),
            width=116,
            initial_indent="  ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from (f"  {render_value(url)}," for url in urls)
        yield "]"
    if plan.lost:
        yield ""
        yield "# Not pinned:"
        yield from (f"#   {shown(one)}" for one in plan.lost)
    if names:
        yield ""
        yield "# At these versions, whatever anyone asks for."
        yield "overrides = ["
        yield from (f"  {render_value(pin)}," for pin in plan.pins if " @ " not in pin)
        yield "]"


def _code(code: CapturedCode) -> Iterator[str]:
    yield f"# {_summary(code)}"
    if code.changed and code.patch is not None:
        yield f"# Changed: {_list(code.changed)}"
    yield from (f"# {shown(note)}" for note in code.notes)
    if code.left:
        yield f"# Left out: {_list(code.left)}"
    if code.keys:
        yield from (f"{key} = {render_value(value)}" for key, value in code.keys.items())
        return
    if code.commit is None:
        yield f"path = {render_value(code.folder or '')}"
        return
    yield f"git = {render_value(code.url or '')}"
    yield f"rev = {render_value(code.commit)}"
    if code.patch_path is not None:
        yield f"patch = {render_value(code.patch_path)}"


def _model(model: CapturedModel) -> Iterator[str]:
    yield f"# {model.path if model.path.isprintable() else shown(model.path)} ({model.size / 1e6:.1f} MB)"
    yield f"folder = {render_value(model.folder)}"
    yield f"name = {render_value(model.name)}"
    if model.url is not None:
        yield f"url = {render_value(model.url)}"
    yield f"sha256 = {render_value(model.sha256)}"


def _summary(code: CapturedCode) -> str:
    """One line on where the code is from."""
    said = [f"version {code.version}"] if code.version else []
    if code.registry:
        said = [f"{code.registry}@{code.version} of the Comfy registry" if code.version else code.registry]
    if code.folder is not None:
        said.append("the files as they are there")
    elif code.branch:
        said.append(f"branch {code.branch}")
    if code.ahead:
        commits = "1 commit" if code.ahead == 1 else f"{code.ahead} commits"
        said.append(f"the patch has {commits} that its remote does not have")
    elif code.patch is not None:
        said.append(f"{len(code.changed)} changed file{'s' if len(code.changed) > 1 else ''}")
    return shown(f"{code.place}: {', '.join(said) or 'as its commit has it'}")


def _python(python: CapturedPython) -> str:
    version = python.version or "of an unknown version"
    other = "" if python.version.startswith(python.taken) else f"; an image has {python.taken}"
    return shown(f"Python {version} in the {python.kind} {python.place}{other}")


def _manager(found: Capture) -> list[str]:
    if found.manager is None:
        return []
    lines = [f"{key} = {value}" for key, value in found.manager.settings.items()]
    lines += [f"pip override: {name} → {value}" for name, value in found.manager.overrides.items()]
    return lines + ([f"newest snapshot: {found.manager.snapshot}"] if found.manager.snapshot else [])


def _list(items: Iterable[str]) -> str:
    all_ = [shown(item) for item in items]
    more = f" and {len(all_) - MAX_NAMED} more" if len(all_) > MAX_NAMED else ""
    return ", ".join(all_[:MAX_NAMED]) + more


def _code_text(text: str) -> str:
    """Nothing that Markdown or a terminal would obey."""
    return shown(text).replace("`", "'").replace("<", "‹").replace("[", "(").replace("]", ")")
