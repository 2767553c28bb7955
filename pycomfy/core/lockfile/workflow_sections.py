"""Take what `[workflows.NAME]` in pycomfy.toml says into what the file says of every workflow beside it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pycomfy.core.lockfile.workflow_names import CONFIG_FILE, SECTIONS, is_candidate, section_name
from pycomfy.core.loose_json import as_mapping
from pycomfy.core.validation import KEY, render_location


def merge_section(data: Mapping[str, Any], file: str | None, *, main: Callable[[], bool]) -> dict[str, Any]:
    """Return what pycomfy.toml says for the workflow in `file`: tables of `[workflows.NAME]` are merged into those of
    the same name, everything else in it replaces. The name at the top is that of the folder's `main` workflow alone;
    whether this is it, takes reading the folder's workflows."""
    kept = {key: value for key, value in data.items() if key != SECTIONS and (key != "name" or main())}
    return kept if file is None else _merge(kept, _section(data, file))


def find_key(data: Mapping[str, Any], file: str | None, key: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return where in the file a key of what `merge_section` returned is: in the section of the workflow, or above."""
    found: object = {} if file is None else _section(data, file)
    for part in key if found else ():
        if part == KEY or not isinstance(found, Mapping):  # a list, or a value, is the section's as a whole
            break
        if part not in found:
            return key
        found = found[part]
    return (SECTIONS, section_name(file), *key) if file is not None and found else key


def _section(data: Mapping[str, Any], file: str) -> Mapping[str, Any]:
    return as_mapping(as_mapping(data.get(SECTIONS)).get(section_name(file)))


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _merge(below[key], value) if isinstance(value, Mapping) and isinstance(below.get(key), Mapping) else value
        for key, value in above.items()
    }
    return {**below, **both}


def explain_unknown_sections(sections: Iterable[str], files: Sequence[str]) -> list[str]:
    """Return a text for each table `[workflows.NAME]` without such a workflow among `files`, those of the folder."""
    names = {section_name(file): None for file in files if is_candidate(file)}
    return [
        f"[{render_location((SECTIONS, name))}] in {CONFIG_FILE} does nothing: there is no such workflow"
        f"{near(name, [*names])}"
        for name in sections
        if name not in names
    ]


def near(name: str, names: Sequence[str]) -> str:
    """Return the question whether one of these names was meant that are like it; "" if none is."""
    like = get_close_matches(name, names, 3)
    return f"; did you mean {' or '.join(render_location((name,)) for name in like)}?" if like else ""
