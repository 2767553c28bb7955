"""Settle at lock what would forbid the image: files that two wheels install with different contents."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.computed import code_fingerprint, fingerprint
from pycomfy.adapters.python import wheel_contents
from pycomfy.adapters.python.wheel_contents import read_files
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.lockfile.toml import render_list
from pycomfy.core.python import wheel_clashes as rules
from pycomfy.core.python.wheel_clashes import COMMANDS, Settled, group_by_wheels, settle_clashes
from pycomfy.errors import ResolutionImpossible, raise_all
from pycomfy.services.workspace import Workspace

MAX_LISTED = 3

_SETTLED: TypeAdapter[Settled] = TypeAdapter(Settled)


@dataclass(frozen=True)
class SettledWheels:
    """`wheels`, each with the files that are left out of it; `notes` for the user; the names of those that are `empty`:
    they install nothing that can be imported."""

    wheels: tuple[Wheel, ...]
    notes: tuple[str, ...]
    empty: frozenset[str]


def settle_wheels(workspace: Workspace, config: Config, wheels: Sequence[Wheel]) -> SettledWheels:
    """Return the wheels without what clashes.

    A wheel that cannot be read now is passed over: then building the image tells of it. Raises `ResolutionImpossible`
    for all wheels with clashing files that the configuration does not settle.
    """
    settled = _settle_once(workspace, config.preferred_wheels, wheels)
    raise_all([_explain(names, places) for names, places in group_by_wheels(settled.open).items()])
    commands = [clash for clash in settled.clashes if clash.place.startswith(COMMANDS)]
    strays = [clash for clash in settled.clashes if not clash.place.startswith(COMMANDS)]
    notes = [
        f"{_join(names)} install different files at {_list(places)}, which nobody imports; those of {names[0]} are kept"
        for names, places in group_by_wheels(strays).items()
    ]
    notes += [
        f"{_join(names)} install different commands {_list(places)}; those of {names[0]} are kept; for another's, "
        f"below [wheels] in pycomfy.toml: {render_list('prefer', [names[-1]])}"
        for names, places in group_by_wheels(commands).items()
    ]
    excluded = [
        wheel.model_copy(update={"exclude": settled.excludes[wheel.name]}) if wheel.name in settled.excludes else wheel
        for wheel in wheels
    ]
    return SettledWheels(tuple(excluded), tuple(notes), frozenset(settled.empty))


def _explain(names: tuple[str, ...], places: Sequence[str]) -> ResolutionImpossible:
    return ResolutionImpossible(
        f"{_join(names)} install different files at {_list(places)}",
        where="the Python packages",
        fix=tuple(
            f"if those of {name} are to be kept, below [wheels] in pycomfy.toml: {render_list('prefer', [name])}"
            for name in names
        ),
    )


def _settle_once(workspace: Workspace, preferred: Sequence[str], wheels: Sequence[Wheel]) -> Settled:
    """What wheels contain never changes, so the result is cached, if all could be read."""
    contents = sorted((wheel.name, wheel.sha256) for wheel in wheels)
    known = (
        workspace.paths.cache
        / "clashes"
        / f"{fingerprint(contents, list(preferred), code_fingerprint(rules, wheel_contents))}.json"
    )
    with contextlib.suppress(OSError, ValueError):
        return _SETTLED.validate_json(known.read_bytes())
    files = read_files(wheels, workspace.paths)
    settled = settle_clashes({name: found for name, found in files.items() if found is not None}, preferred)
    if None not in files.values():
        write_file(known, _SETTLED.dump_json(settled))
    return settled


def _join(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _list(places: Sequence[str]) -> str:
    places = [place.replace(COMMANDS, "bin/", 1).removeprefix("../../../") for place in places]
    more = f" and {len(places) - MAX_LISTED} more" if len(places) > MAX_LISTED else ""
    return ", ".join(places[:MAX_LISTED]) + more
