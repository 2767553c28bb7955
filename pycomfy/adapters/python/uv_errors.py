"""Explain why uv has no answer: what is missing, which requirements conflict, and what to do about it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.io.atomic_files import no_space, says_disk_is_full
from pycomfy.adapters.io.clock import blames_time, clock_fix
from pycomfy.adapters.python.override_search import find_date, find_override, try_versions
from pycomfy.adapters.python.simple_index import find_indexes, list_files
from pycomfy.adapters.python.uv_process import make_environment, run_uv
from pycomfy.adapters.python.uv_request import ResolutionRequest, UvRequest, explain, names_in
from pycomfy.core.lockfile.config import SUITES
from pycomfy.core.lockfile.package_indexes import strip_logins
from pycomfy.core.lockfile.toml import render_list
from pycomfy.core.python.conflicts import (
    Constraint,
    conclusion,
    describe_override,
    describe_pin,
    find_constraints,
    find_labelled,
    name_origins,
)
from pycomfy.core.python.index_files import Available, describe_available
from pycomfy.errors import (
    BadConfig,
    Fixes,
    NetworkError,
    NoMatchingDistribution,
    NoSpace,
    Placeholder,
    PycomfyError,
    ResolutionImpossible,
    suggest,
    suggest_retry,
)

# "windows==1.0 has no wheels with a matching platform tag": the name as normalised by uv, and the versions.
_WITHOUT_WHEEL = re.compile(
    r"\b([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)((?:[<>=!~]=?[^ ,]+,?)*) (?:has|have) no (?:usable wheels|wheels with a match)"
)

MAX_PROBLEMS = 20
MAX_EXPLANATION = 700
"""A longer explanation of uv is shortened to its conclusion."""


def explain_failure(uv: UvRequest, stderr: str) -> list[PycomfyError]:
    """Return the reasons why uv has no answer to a request. uv names one package without wheels at a time: it is left
    out, and the rest resolved again."""
    if failure := find_failure(stderr):
        config = uv.request.index_config
        if isinstance(failure, NetworkError) and config.accelerator is not None and not config.has_torch:
            mirror = "name a mirror of PyTorch's index in pycomfy.toml, as an [[index]] with {accelerator}"
            failure.fixes = (*failure.fixes, mirror)
        return [failure]
    without: dict[str, tuple[str, NoMatchingDistribution]] = {}
    while (missing := _WITHOUT_WHEEL.search(stderr)) and missing[1] not in without and len(without) < MAX_PROBLEMS:
        without[missing[1]] = missing[2].rstrip(","), _explain_missing_wheel(missing, stderr, uv)
        (uv.folder / "left-out").write_text("".join(name + "\n" for name in without))
        outcome = uv.run("--excludes=left-out")
        if isinstance(outcome, bytes):
            _add_overrides(uv, without)
            return [error for _, error in without.values()]
        stderr = outcome
    errors: list[PycomfyError] = [error for _, error in without.values()]
    return errors if _unreachable(stderr) else [*errors, _explain_conflict(uv, stderr)]


def find_hidden_conflict(uv: UvRequest, stderr: str) -> ResolutionImpossible | None:
    """Return the conflict that is the cause where uv names packages without wheels; None if a wheel is missing.

    uv names every version without a usable wheel that it passed over, though others of the package have wheels and
    fail for another reason.
    """
    names = {match[1] for match in _WITHOUT_WHEEL.finditer(stderr)}
    if not names or find_failure(stderr) or not all(_has_wheels(uv, name, stderr) for name in names):
        return None
    return _explain_conflict(uv, stderr)


def find_lacking(uv: UvRequest, stderr: str) -> frozenset[str]:
    """Return the packages without wheels that alone keep uv from an answer; none if there are other reasons."""
    lacking: set[str] = set()
    outcome: bytes | str = stderr
    while isinstance(outcome, str):
        found = {match[1] for match in _WITHOUT_WHEEL.finditer(outcome)} - lacking
        if not found or find_failure(outcome) or len(lacking) > MAX_PROBLEMS:
            return frozenset()
        lacking |= found
        (uv.folder / "left-out").write_text("".join(name + "\n" for name in sorted({*lacking, *uv.request.excludes})))
        outcome = uv.run("--excludes=left-out")
    return frozenset(lacking)


def _has_wheels(uv: UvRequest, name: str, stderr: str) -> bool:
    """Return whether a package has a usable wheel for everybody who requires it: with the requirements of all origins,
    and with each dependency on it in uv's explanation."""
    environment = uv.request.target.environment()
    constraints = [
        c for c in find_constraints(uv.request.requirement_sets, explain(stderr), environment) if c.name == name
    ]
    origins = {one.origin for one in uv.request.requirement_sets}
    own = [str(c.versions) for c in constraints if c.origin in origins]
    others = dict.fromkeys(str(c.versions) for c in constraints if c.origin not in origins)
    (uv.folder / "required.in").write_text("".join(f"{name}{versions}\n" for versions in own) or f"{name}\n")
    files = [a for a in uv.arguments if a.endswith(".in") and not a.startswith("-")]
    arguments = [a for a in uv.arguments if a not in files]
    for versions in others or ("",):
        (uv.folder / "depended.in").write_text(f"{name}{versions}\n")
        outcome = run_uv([*arguments, "--no-deps", "required.in", "depended.in"], uv.folder, uv.environment)
        if isinstance(outcome, str):
            return False
    return True


def _explain_missing_wheel(missing: re.Match[str], stderr: str, uv: UvRequest) -> NoMatchingDistribution:
    """Return the error for a package without a wheel, with what the index has instead."""
    name, versions, request = missing[1], missing[2].rstrip(","), uv.request
    platform, python = request.target.platform, request.target.python
    available = _find_available(name, versions, uv)
    origins = _list_origins(request, {name} | _find_names(stderr, request))
    fixes = [f'where that Python will do, at the top of pycomfy.toml: python = "{p}"' for p in available.pythons]
    if available.platforms:
        fixes.append(f"leave the platform out, in pycomfy.toml: {render_list('platforms', available.platforms)}")
    if not available.usable:
        fixes.append(f"leave out what requires it: no version of {name} has a wheel for this platform and Python")
    else:
        oldest, newest = available.usable[0], available.usable[-1]
        which = f"{oldest} to {newest}" if oldest != newest else f"{newest}"
        fixes.append(f'take a version that has one ({which}), in pycomfy.toml: overrides = ["{name}==…"]')
    return NoMatchingDistribution(
        f"{name}{versions} has no wheel for {platform}, Python {python}; {available.text}",
        where=origins or f"the Python packages for {platform}",
        fix=tuple(fixes),
        package=name,
    )


def _find_available(name: str, versions: str, uv: UvRequest) -> Available:
    request, config = uv.request, uv.request.index_config
    dated = name not in request.undated and (name not in config.reserved or config.reserved[name].dated)
    try:
        files = list_files(name, find_indexes(name, config), request.as_of if dated else None)
    except NetworkError:
        return Available("what there is of it is unknown, as the index does not answer now")
    return describe_available(name, versions, files, request.target, SUITES)


def _add_overrides(uv: UvRequest, missing: dict[str, tuple[str, NoMatchingDistribution]]) -> None:
    """Add to the errors, which have the required versions, the versions to take instead: each was tried, with the other
    missing packages left out. What exists as source will be built, so nothing has to be tried for it."""
    for name, (versions, error) in missing.items():
        others = sorted({*missing, *uv.request.excludes} - {name})
        (uv.folder / "others").write_text("".join(other + "\n" for other in others))
        arguments = (*(a for a in uv.arguments if not a.startswith("--excludes=")), "--excludes=others")
        available = _find_available(name, versions, uv)
        candidates = [] if available.source else [str(v) for v in available.nearest(versions)]
        found = try_versions(replace(uv, arguments=arguments), name, candidates)
        if found is not None:
            line = describe_override(found, replaces=bool(uv.request.overrides))
            error.fixes = (line, *(fix for fix in error.fixes if f"{name}==…" not in str(fix)))


def _explain_conflict(uv: UvRequest, stderr: str) -> ResolutionImpossible:
    request = uv.request
    explanation = explain(stderr)
    names = _find_names(stderr, request)
    if len(explanation) > MAX_EXPLANATION:
        # Of a long chain the end says it; what it passed over on the way is no reason.
        names &= names_in(conclusion(explanation))
    return ResolutionImpossible(
        f"the requirements conflict on {request.target.platform}: "
        + name_origins(
            conclusion(explanation) if len(explanation) > MAX_EXPLANATION else explanation, request.requirement_sets
        ),
        where=_list_origins(request, names) or "the Python requirements",
        fix=_find_fixes(uv, stderr, explanation, names),
    )


def _find_fixes(uv: UvRequest, stderr: str, explanation: str, names: set[str]) -> Fixes:
    request = uv.request
    if undated := undated_names(stderr) & (names | set(request.index_config.reserved)):
        name = min(undated)
        return (
            f"the index does not say when {name} was uploaded: say in pycomfy.toml that it need not, in the [[index]] "
            f'that has packages = ["{name}"]: dated = false'
        )
    if "`exclude-newer`" in stderr:
        if (found := find_date(uv, stderr)) is not None:
            day, resolves = found
            also = ", and with it everything resolves" if resolves else ""
            why = f"what is required was uploaded after the date of this lock{also}"
            return (f"at the top of pycomfy.toml: as-of = {day}: {why}", suggest_retry("lock", why, as_of=day))
        newer = "if a newer package is needed"
        return (f"{newer}, set a later date in pycomfy.toml: as-of", suggest("lock", newer, as_of=Placeholder("DATE")))
    if "not found in the package registry" in stderr:
        return ("correct the name", "name the index that has it: UV_INDEX, or `index` in uv.toml")
    if labelled := find_labelled(explanation):
        name, version, accelerator = labelled
        return (
            f'for the builds of PyTorch for {accelerator}, at the top of pycomfy.toml: accelerator = "{accelerator}"',
            f"for the build of another accelerator, {describe_pin(name, version, bool(request.overrides))}",
        )
    override = find_override(uv, stderr)
    if override is not None:
        return describe_override(override, replaces=bool(request.overrides))
    if own := [o for o in request.overrides if canonicalize_name(Requirement(o).name) in names_in(explanation)]:
        return f"correct `overrides` in pycomfy.toml: {', '.join(own)} cannot be resolved"
    environment = request.target.environment()
    return _without_override(find_constraints(request.requirement_sets, explanation, environment))


def _without_override(constraints: Sequence[Constraint]) -> str:
    """Return what is left to do if no override was found."""
    packs = sorted({c.origin.removeprefix("pack ") for c in constraints if c.origin.startswith("pack ")})
    table = f"[packs.{packs[0]}] " if packs else ""
    return (
        "no override was found that resolves the conflict: leave out one of those that require it, or replace its "
        f"requirements in pycomfy.toml: {table}requirements = […]"
    )


def undated_names(stderr: str) -> set[str]:
    """Return the packages for which an index has no upload date."""
    files = re.findall(r"^warning: `?([^`\s]+)`? is missing an upload date", stderr, flags=re.MULTILINE)
    return {canonicalize_name(file.partition("-")[0]) for file in files}


def _find_names(stderr: str, request: ResolutionRequest) -> set[str]:
    """Return the packages that both uv's explanation and an origin name."""
    lines = (line for one in request.requirement_sets for line in (*one.requirements, *one.constraints))
    return {line.name for line in lines} & names_in(stderr)


def _list_origins(request: ResolutionRequest, names: set[str]) -> str:
    """Return the requirements of these packages, each with its origin and the line that says it."""
    return "; ".join(
        f"{one.origin} requires {line.text} ({line.where})"
        for one in request.requirement_sets
        for line in (*one.requirements, *one.constraints)
        if line.name in names
    )


def find_failure(stderr: str) -> PycomfyError | None:
    """Return what kept uv from looking for an answer; None if it looked, and there is none."""
    return _no_space(stderr) or _unreachable(stderr) or _no_accelerator(stderr)


def _no_accelerator(stderr: str) -> BadConfig | None:
    refused = re.search(r"invalid value '([^']*)' for '--torch-backend[^']*'\s*\[possible values: ([^\]]*)\]", stderr)
    if refused is None:
        return None
    known = ", ".join(v.strip() for v in refused[2].split(",") if v.strip() != "auto")
    return BadConfig(
        f"there is no accelerator {refused[1]}", where=f'accelerator = "{refused[1]}"', fix=f"one of: {known}"
    )


def _no_space(stderr: str) -> NoSpace | None:
    if not says_disk_is_full(stderr):
        return None
    where = re.search(r"(?:`|file |folder |directory )(/[^`\n]+?)`?(?::|$)", stderr, flags=re.MULTILINE)
    return no_space(Path(where[1]) if where else Path(make_environment().get("UV_CACHE_DIR") or Path.home()))


def _unreachable(stderr: str) -> NetworkError | None:
    if refused := re.search(r"An index URL \((\S+)\) could not be queried[^(]*\(([^)]*)\)", stderr):
        return NetworkError(
            f"the Python index refuses to answer: {refused[2]}",
            where=strip_logins(refused[1]),
            fix="give uv credentials that it accepts: in netrc, a keyring, or the index's URL",
        )
    if malformed := re.search(r"Received some unexpected (JSON|HTML) from `(\S+)`", stderr):
        return NetworkError(
            f"the Python index answers with malformed {malformed[1]}: {explain(stderr)}",
            where=strip_logins(malformed[2]),
            fix="use another index",
        )
    if not re.search(r"Failed to fetch|error sending request|Request failed after|network was disabled", stderr):
        return None
    url = re.search(r"Failed to fetch:? `?(\S+?)`?$", stderr, flags=re.MULTILINE)
    return NetworkError(
        f"the Python index did not answer: {explain(stderr)}",
        where=strip_logins(url[1]) if url else "uv",
        fix=clock_fix()
        if blames_time(stderr)
        else "trust your network's certificates: set SSL_CERT_FILE to the file that has them"
        if "certificate" in stderr
        else "check the network and the proxy",
    )
