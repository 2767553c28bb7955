"""What uv says when it has no answer, in the user's words: what is missing, who wants what, and what mends it."""

import re
import tomllib
from pathlib import Path

from packaging.utils import canonicalize_name

from pycomfy.errors import NoSolution, NoSpace, NoWheel, PycomfyError, Unreachable
from pycomfy.flow.lock.indexes import without_logins
from pycomfy.outside.files import no_space, says_disk_is_full
from pycomfy.outside.uvquestion import OURS, Asking, Question, names_in, options
from pycomfy.outside.uvrun import make_environment, run_uv

# "windows==1.0 has no wheels with a matching platform tag": the name as normalised by uv, and the versions.
_WITHOUT_WHEEL = re.compile(
    r"\b([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)((?:[<>=!~]=?[^ ,]+,?)*) (?:has|have) no (?:usable wheels|wheels with a match)"
)

MOST_PROBLEMS = 20


def explain(asking: Asking, stderr: str) -> list[PycomfyError]:
    """Why there is no answer to a question. uv names one package without wheels at a time: it is left out, and the rest
    asked again."""
    if failed := find_failure(stderr):
        return [failed]
    question, folder = asking.question, asking.folder
    without: dict[str, NoWheel] = {}
    while (missing := _WITHOUT_WHEEL.search(stderr)) and missing[1] not in without and len(without) < MOST_PROBLEMS:
        without[missing[1]] = _no_wheel(missing, stderr, asking)
        (folder / "left-out").write_text("".join(name + "\n" for name in without))
        done = asking.ask("--excludes=left-out")
        if isinstance(done, bytes):
            return list(without.values())
        stderr = done
    return [*without.values(), _no_solution(question, stderr)] if not _unreachable(stderr) else list(without.values())


def _no_wheel(missing: re.Match[str], stderr: str, asking: Asking) -> NoWheel:
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
    return NoWheel(
        f"{name}{versions} has no wheel for {question.target.platform}, Python {question.target.python}; {there}",
        where=wanted or f"the Python packages for {question.target.platform}",
        fix=f'ask for a version with wheels in pycomfy.toml (requirements = ["{name}…"]), or drop the platform',
    )


def _no_solution(question: Question, stderr: str) -> PycomfyError:
    named = _named(stderr, question)
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
        example = min(named, default="NAME")
        fix = f'choose one version for all in pycomfy.toml: overrides = ["{example}==…"]'
    return NoSolution(
        f"no set of Python packages satisfies all for {question.target.platform}: {reason(stderr)}",
        where=_who_wants(question, named) or "the Python requirements",
        fix=fix,
    )


def undated_names(stderr: str) -> set[str]:
    """The packages of which an index does not say when they were uploaded."""
    files = re.findall(r"^warning: `?([^`\s]+)`? is missing an upload date", stderr, flags=re.MULTILINE)
    return {canonicalize_name(file.partition("-")[0]) for file in files}


def _named(stderr: str, question: Question) -> set[str]:
    """The packages that both uv's explanation and an origin name."""
    return {a.name for wants in question.wants for a in (*wants.asked, *wants.constraints)} & names_in(stderr)


def _who_wants(question: Question, names: set[str]) -> str:
    return "; ".join(
        f"{wants.origin} wants {a.text} ({a.where})"
        for wants in question.wants
        for a in (*wants.asked, *wants.constraints)
        if a.name in names
    )


def reason(stderr: str) -> str:
    """uv's explanation without its headings, in one paragraph; its hints are about options that we choose."""
    text = re.sub(r"^(warning:|Resolved ).*\n?", "", stderr, flags=re.MULTILINE).split("\nhint:", 1)[0]
    # What uv knows as our own project is what was asked of it.
    text = re.sub(rf"\b{OURS}(==0)? depends on\b", "you require", text)
    text = re.sub(r"^\s*(error|cause|×|├─▶|╰─▶)\s*:?\s*", "", text, flags=re.MULTILINE)
    text = re.sub(r"^No solution found when resolving dependencies:?\s*", "", text.strip())
    return without_logins(re.sub(r"\s+", " ", text)).strip().rstrip(".")


def find_failure(stderr: str) -> PycomfyError | None:
    """What kept uv from answering at all, if anything did."""
    return _no_space(stderr) or _unreachable(stderr)


def _no_space(stderr: str) -> NoSpace | None:
    if not says_disk_is_full(stderr):
        return None
    where = re.search(r"(?:`|file |folder |directory )(/[^`\n]+?)`?(?::|$)", stderr, flags=re.MULTILINE)
    return no_space(Path(where[1]) if where else Path(make_environment().get("UV_CACHE_DIR") or Path.home()))


def _unreachable(stderr: str) -> Unreachable | None:
    if refused := re.search(r"An index URL \((\S+)\) could not be queried[^(]*\(([^)]*)\)", stderr):
        return Unreachable(
            f"the Python index refuses to answer: {refused[2]}",
            where=without_logins(refused[1]),
            fix="give uv credentials that it accepts: in netrc, a keyring, or the index's URL",
        )
    if nonsense := re.search(r"Received some unexpected (JSON|HTML) from `(\S+)`", stderr):
        return Unreachable(
            f"the Python index answers with {nonsense[1]} that is none: {reason(stderr)}",
            where=without_logins(nonsense[2]),
            fix="use another index",
        )
    if not re.search(r"Failed to fetch|error sending request|Request failed after|network was disabled", stderr):
        return None
    url = re.search(r"Failed to fetch:? `?(\S+?)`?$", stderr, flags=re.MULTILINE)
    return Unreachable(
        f"the Python index did not answer: {reason(stderr)}",
        where=without_logins(url[1]) if url else "uv",
        fix="trust your network's certificates: set SSL_CERT_FILE to the file that has them"
        if "certificate" in stderr
        else "check the network and the proxy",
    )
