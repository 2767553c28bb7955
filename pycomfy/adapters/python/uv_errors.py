"""What uv says when it has no answer, in the user's words: what is missing, who wants what, and what mends it."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.io.atomic_files import no_space, says_disk_is_full
from pycomfy.adapters.python.override_search import find_override
from pycomfy.adapters.python.uv_process import make_environment, run_uv
from pycomfy.adapters.python.uv_request import ResolutionRequest, UvRequest, names_in, options, reason
from pycomfy.core.lockfile.package_indexes import strip_logins
from pycomfy.core.python.conflicts import Constraint, describe_override, find_constraints, name_origins
from pycomfy.errors import BadConfig, NetworkError, NoMatchingDistribution, NoSpace, PycomfyError, ResolutionImpossible

# "windows==1.0 has no wheels with a matching platform tag": the name as normalised by uv, and the versions.
_WITHOUT_WHEEL = re.compile(
    r"\b([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)((?:[<>=!~]=?[^ ,]+,?)*) (?:has|have) no (?:usable wheels|wheels with a match)"
)

MAX_PROBLEMS = 20


def explain_failure(asking: UvRequest, stderr: str) -> list[PycomfyError]:
    """Why there is no answer to a question. uv names one package without wheels at a time: it is left out, and the rest
    asked again."""
    if failed := find_failure(stderr):
        reach = asking.question.reach
        if isinstance(failed, NetworkError) and reach.accelerator is not None and not reach.has_torch:
            mirror = "name a mirror of PyTorch's index in pycomfy.toml, as an [[index]] with {accelerator}"
            failed.fixes = (*failed.fixes, mirror)
        return [failed]
    folder = asking.folder
    without: dict[str, NoMatchingDistribution] = {}
    while (missing := _WITHOUT_WHEEL.search(stderr)) and missing[1] not in without and len(without) < MAX_PROBLEMS:
        without[missing[1]] = _no_wheel(missing, stderr, asking)
        (folder / "left-out").write_text("".join(name + "\n" for name in without))
        done = asking.ask("--excludes=left-out")
        if isinstance(done, bytes):
            return list(without.values())
        stderr = done
    return [*without.values(), _no_solution(asking, stderr)] if not _unreachable(stderr) else list(without.values())


def _no_wheel(missing: re.Match[str], stderr: str, asking: UvRequest) -> NoMatchingDistribution:
    """What there is of a package instead: uv is asked for it alone, without the platform."""
    name, versions = missing[1], missing[2].rstrip(",")
    question = asking.question
    (asking.folder / "other.in").write_text(f"{name}{versions}\n")
    asked = [o for o in options(question.target) if not o.startswith("--python-platform")]
    done = run_uv([*asked, "--universal", "--no-deps", "other.in"], asking.folder, asking.environment)
    there = "it exists as source only, which would have to be built"
    if isinstance(done, bytes):
        packages = tomllib.loads(done.decode()).get("packages", [])
        urls = [str(w.get("url", "")) for p in packages for w in p.get("wheels", [])]
        platforms = sorted({u.removesuffix(".whl").rsplit("-", 1)[-1] for u in urls})
        there = f"there are wheels for {', '.join(platforms)}"
    wanted = _who_wants(question, {name} | _named(stderr, question))
    return NoMatchingDistribution(
        f"{name}{versions} has no wheel for {question.target.platform}, Python {question.target.python}; {there}",
        where=wanted or f"the Python packages for {question.target.platform}",
        fix=f'ask for a version with wheels in pycomfy.toml (requirements = ["{name}…"]), or drop the platform',
        package=name,
    )


def _no_solution(asking: UvRequest, stderr: str) -> PycomfyError:
    question = asking.question
    said = reason(stderr)
    named, environment = _named(stderr, question), question.target.environment()
    if undated := undated_names(stderr) & (named | set(question.reach.reserved)):
        one = min(undated)
        fix = (
            f"the index does not say when {one} was uploaded: say in pycomfy.toml that it need not, in the [[index]] "
            f'that has packages = ["{one}"]: dated = false'
        )
    elif "`exclude-newer`" in stderr:
        fix = "if a newer package is needed, set a later date: as-of in pycomfy.toml, or --as-of"
    elif "not found in the package registry" in stderr:
        fix = "correct the name, or name the index that has it: UV_INDEX, or `index` in uv.toml"
    else:
        mend = find_override(asking, stderr)
        if mend is not None:
            fix = describe_override(mend)
        elif own := [o for o in question.overrides if canonicalize_name(Requirement(o).name) in names_in(said)]:
            fix = f"correct `overrides` in pycomfy.toml: {', '.join(own)} cannot be had"
        else:
            fix = _without_override(find_constraints(question.wants, said, environment))
    return ResolutionImpossible(
        f"no set of Python packages satisfies all for {question.target.platform}: {name_origins(said, question.wants)}",
        where=_who_wants(question, named) or "the Python requirements",
        fix=fix,
    )


def _without_override(demands: Sequence[Constraint]) -> str:
    """What is left where no override was found."""
    packs = sorted({d.origin.removeprefix("pack ") for d in demands if d.origin.startswith("pack ")})
    table = f"[packs.{packs[0]}] " if packs else ""
    return (
        "no override was found with which everything resolves: leave out one of those who want it, or replace what it "
        f"asks for, in pycomfy.toml: {table}requirements = […]"
    )


def undated_names(stderr: str) -> set[str]:
    """The packages of which an index does not say when they were uploaded."""
    files = re.findall(r"^warning: `?([^`\s]+)`? is missing an upload date", stderr, flags=re.MULTILINE)
    return {canonicalize_name(file.partition("-")[0]) for file in files}


def _named(stderr: str, question: ResolutionRequest) -> set[str]:
    """The packages that both uv's explanation and an origin name."""
    return {a.name for wants in question.wants for a in (*wants.requirements, *wants.constraints)} & names_in(stderr)


def _who_wants(question: ResolutionRequest, names: set[str]) -> str:
    return "; ".join(
        f"{wants.origin} wants {a.text} ({a.where})"
        for wants in question.wants
        for a in (*wants.requirements, *wants.constraints)
        if a.name in names
    )


def find_failure(stderr: str) -> PycomfyError | None:
    """What kept uv from answering at all, if anything did."""
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
    if nonsense := re.search(r"Received some unexpected (JSON|HTML) from `(\S+)`", stderr):
        return NetworkError(
            f"the Python index answers with {nonsense[1]} that is none: {reason(stderr)}",
            where=strip_logins(nonsense[2]),
            fix="use another index",
        )
    if not re.search(r"Failed to fetch|error sending request|Request failed after|network was disabled", stderr):
        return None
    url = re.search(r"Failed to fetch:? `?(\S+?)`?$", stderr, flags=re.MULTILINE)
    return NetworkError(
        f"the Python index did not answer: {reason(stderr)}",
        where=strip_logins(url[1]) if url else "uv",
        fix="trust your network's certificates: set SSL_CERT_FILE to the file that has them"
        if "certificate" in stderr
        else "check the network and the proxy",
    )
