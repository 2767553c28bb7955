"""Write the pycomfy.toml and the NOTES.md of a captured installation, for people to read."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pycomfy.core.capture.model import Capture, CapturedCode, CapturedModel, CapturedPython
from pycomfy.core.capture.package_plan import PackagePlan
from pycomfy.core.lockfile.toml import render_key, render_value
from pycomfy.core.printable import printable
from pycomfy.core.sentences import shorten

MAX_LISTED = 8
"""Names in one comment."""


def render_config(found: Capture, name: str | None = None) -> str:
    """Return a pycomfy.toml that pins what was found, with comments on where each pin comes from. `name` is the
    workflow's."""
    lines = ["# Written by pycomfy, from the installation in", f"# {_line(found.comfyui.path)}", ""]
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


def render_notes(found: Capture) -> str:
    """Return NOTES.md: what one should know before building from it."""
    parts: list[tuple[str, Sequence[str]]] = [
        ("Cannot be reproduced", found.list_lost()),
        ("Notes", found.list_notes()),
        ("Changed files, in patches/", [f"{c.name}: {path}" for c in found.code if c.patch for path in c.changed]),
        ("Disabled node packs, not captured", found.disabled),
        ("ComfyUI-Manager", _manager(found)),
    ]
    lines = ["# What was captured", "", f"From {_plain(found.comfyui.path)}.", ""]
    lines += [f"- {_plain(code.name)}: {_summary(code)}" for code in found.code]
    if found.python is not None:
        lines.append(f"- {_python(found.python)}, {len(found.python.plan.pins)} packages")
    if found.models:
        lines.append(f"- Models: {len(found.models)}, {sum(m.size for m in found.models) / 1e9:.2f} GB")
    for title, items in parts:
        if items:
            lines += ["", f"## {title}", "", *(f"- {_plain(item)}" for item in items)]
    return "\n".join(lines) + "\n"


# — the parts —


def _top(found: Capture) -> Iterator[str]:
    moment = found.as_of
    if moment is not None:
        yield "# When it last changed. Newer Python packages are not used."
        yield f"as-of = {moment:%Y-%m-%dT%H:%M:%SZ}"
    python = found.python
    if python is None:
        yield "# No Python environment was found: packages are resolved as of this date."
        return
    yield f"# {_python(python)}"
    yield f"python = {render_value(python.image_version)}"
    plan = python.plan
    if plan.platforms:
        yield f"platforms = {render_value(list(plan.platforms))}"
    if plan.accelerator is not None:
        yield "# What PyTorch was built for."
        yield f"accelerator = {render_value(plan.accelerator)}"
    yield from _packages(plan)


def _packages(plan: PackagePlan) -> Iterator[str]:
    urls = [pin for pin in plan.pins if " @ " in pin]
    names = [pin.partition("==")[0] for pin in plan.pins if " @ " not in pin]
    if plan.required and plan.pins:
        yield ""
        yield "# Every package that is installed, also those that nothing requires."
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
        yield from (f"#   {_line(one)}" for one in plan.lost)
    if names:
        yield ""
        yield "# At these versions, whatever is required of them."
        yield "overrides = ["
        yield from (f"  {render_value(pin)}," for pin in plan.pins if " @ " not in pin)
        yield "]"


def _code(code: CapturedCode) -> Iterator[str]:
    yield f"# {_summary(code)}"
    if code.changed and code.patch is not None:
        yield f"# Changed: {_list(code.changed)}"
    yield from (f"# {_line(note)}" for note in code.notes)
    if code.skipped:
        yield f"# Left out: {_list(code.skipped)}"
    yield from (f"{key} = {render_value(value)}" for key, value in code.config_keys.items())


def _model(model: CapturedModel) -> Iterator[str]:
    yield f"# {_line(model.path)} ({model.size / 1e6:.1f} MB)"
    yield f"folder = {render_value(model.folder)}"
    yield f"name = {render_value(model.name)}"
    if model.url is not None:
        yield f"url = {render_value(model.url)}"
    yield f"sha256 = {render_value(model.sha256)}"


def _summary(code: CapturedCode) -> str:
    """One line on where the code comes from."""
    parts = [f"version {code.version}"] if code.version else []
    if code.registry:
        parts = [f"{code.registry}@{code.version} of the Comfy registry" if code.version else code.registry]
    if code.folder is not None:
        parts.append("a copy of its files")
    elif code.branch:
        parts.append(f"branch {code.branch}")
    if code.unpublished:
        commits = "1 commit" if code.unpublished == 1 else f"{code.unpublished} commits"
        parts.append(f"the patch has {commits} that its remote does not have")
    elif code.patch is not None:
        parts.append(f"{len(code.changed)} changed file{'s' if len(code.changed) > 1 else ''}")
    return _line(f"{code.path}: {', '.join(parts) or 'unchanged'}")


def _python(python: CapturedPython) -> str:
    version = python.version or "of an unknown version"
    other = "" if python.version.startswith(python.image_version) else f"; an image has {python.image_version}"
    return _line(f"Python {version} in the {python.kind} {python.folder}{other}")


def _manager(found: Capture) -> list[str]:
    if found.manager is None:
        return []
    lines = [f"{key} = {value}" for key, value in found.manager.settings.items()]
    lines += [f"pip override: {name} → {value}" for name, value in found.manager.overrides.items()]
    return lines + ([f"newest snapshot: {found.manager.snapshot}"] if found.manager.snapshot else [])


def _list(items: Iterable[str]) -> str:
    all_ = [_line(item) for item in items]
    more = f" and {len(all_) - MAX_LISTED} more" if len(all_) > MAX_LISTED else ""
    return ", ".join(all_[:MAX_LISTED]) + more


def _plain(text: str) -> str:
    """The text without what Markdown or a terminal would interpret."""
    return _line(text).replace("`", "'").replace("<", "‹").replace("[", "(").replace("]", ")")


def _line(text: str) -> str:
    """The text as one line of a file that people read, and that TOML must be able to have as a comment: it has no
    control characters."""
    return printable(shorten(text))
