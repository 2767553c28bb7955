"""Resolving Python packages with the `uv` program: for another platform, as of a date, with hashes; nothing is built.

Only wheels are considered: to learn what an sdist needs, uv would have to run its code here.
"""

import hashlib
import json
import os
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from uv import find_uv_bin

from pycomfy.errors import (
    BadConfig,
    MissingTool,
    NoSolution,
    NoSpace,
    NotFound,
    NoWheel,
    PycomfyError,
    Unreachable,
    raise_all,
)
from pycomfy.flow.lock.model import Wheel
from pycomfy.flow.lock.requirements import Asked, Wants
from pycomfy.flow.lock.wheels import Target, choose_wheels
from pycomfy.outside.files import no_space, says_disk_is_full, write_file
from pycomfy.outside.process import run

# How the index is reached is the machine's affair; what is chosen from it must depend on the question alone.
_KEPT = re.compile(
    r"(UV_(DEFAULT_INDEX|INDEX\w*|EXTRA_INDEX_URL|CACHE_DIR|CONFIG_FILE|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|OFFLINE"
    r"|KEYRING_PROVIDER|HTTP_\w+|CONCURRENT_DOWNLOADS)"
    r"|SSL_\w+|((all|https?|no)_proxy)|NETRC|HOME|USER|PATH|TMPDIR|XDG_\w+)",
    re.IGNORECASE,
)

# "windows==1.0 has no wheels with a matching platform tag": the name as normalised by uv, and the versions.
_WITHOUT_WHEEL = re.compile(
    r"\b([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)((?:[<>=!~]=?[^ ,]+,?)*) (?:has|have) no (?:usable wheels|wheels with a match)"
)

MOST_PROBLEMS = 20
DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Question:
    """What to resolve: what each origin wants, for `target`, from packages uploaded before `as_of`.

    An override replaces what anybody asks of its package.
    """

    wants: Sequence[Wants]
    target: Target
    as_of: datetime
    overrides: Sequence[str] = ()


def compile_pylock(question: Question, cache: Path) -> dict[str, Any]:
    """The parsed `pylock.toml` (PEP 751) that uv answers with; an answer is kept in `cache` for a day.

    Nothing new can have been uploaded before a date that has passed, so the day matters only for what was withdrawn.

    Raises `NoSolution` with uv's explanation and who wants what, `NoWheel` for all packages that exist only as source
    or for other platforms, `Unreachable` without an index, `MissingTool` without uv.
    """
    with tempfile.TemporaryDirectory(prefix="pycomfy-uv-") as folder:
        command = _write_question(question, Path(folder))
        done = _ask_uv(command, Path(folder), cache if question.as_of < datetime.now(UTC) else None)
        if isinstance(done, bytes):
            return tomllib.loads(done.decode())
        raise_all(_explain(question, done, command, Path(folder)))
        raise AssertionError("an explanation is never empty")


def pin_wheel(pin: str, target: Target, cache: Path) -> tuple[Wheel, datetime | None]:
    """The wheel of an exact pin (`name==version`), alone, and when it was uploaded, if the index tells.

    Raises `NotFound` if there is no such wheel, `BadConfig` if it is not one for every platform.
    """
    with tempfile.TemporaryDirectory(prefix="pycomfy-uv-") as folder:
        requirements = Path(folder, "wheel.in")
        requirements.write_text(pin + "\n")
        done = _ask_uv([*_options(target), "--no-deps", requirements.name], Path(folder), cache)
    if isinstance(done, str):
        raise (
            _no_space(done)
            or _unreachable(done)
            or NotFound(
                f"there is no wheel {pin}: {_reason(done)}", where="pycomfy.toml", fix="correct the name or the version"
            )
        )
    pylock = tomllib.loads(done.decode())
    (wheel,) = choose_wheels(pylock, target.platform, target.python)
    if not wheel.filename.endswith("-none-any.whl"):
        raise BadConfig(
            f"{wheel.filename} is not the same for every platform",
            where="pycomfy.toml",
            fix="name a wheel that ends in -none-any.whl",
        )
    uploads = [w.get("upload-time") for p in pylock["packages"] for w in p["wheels"]]
    times = [moment.astimezone(UTC) for moment in uploads if isinstance(moment, datetime) and moment.tzinfo]
    return wheel, max(times, default=None)


def _options(target: Target) -> list[str]:
    return [
        "--format=pylock.toml",
        "--generate-hashes",
        "--only-binary=:all:",
        f"--python-version={target.python_full}",
        f"--python-platform={target.uv_platform}",
        "--no-header",
        "--no-annotate",
    ]


def _write_question(question: Question, folder: Path) -> list[str]:
    """Write a file for each origin; returns uv's arguments."""
    arguments = [*_options(question.target), f"--exclude-newer={question.as_of.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"]
    for number, wants in enumerate(question.wants):
        asked = _write_lines(folder / f"{number}.in", wants.asked)
        arguments.append(asked)
        if wants.constraints:
            arguments.append("--constraints=" + _write_lines(folder / f"{number}.constraints", wants.constraints))
    if question.overrides:
        (folder / "overrides").write_text("".join(line + "\n" for line in question.overrides))
        arguments.append("--overrides=overrides")
    return arguments


def _write_lines(path: Path, asked: Iterable[Asked]) -> str:
    path.write_text("".join(a.text + "\n" for a in asked))
    return path.name


def _ask_uv(arguments: Sequence[str], folder: Path, cache: Path | None) -> bytes | str:
    """As `_run_uv`, but an answer of today to the same question, asked of the same index, is taken from the cache."""
    if cache is None:
        return _run_uv(arguments, folder)
    known = cache / "resolved" / f"{_fingerprint(arguments, folder)}.toml"
    try:
        if 0 <= time.time() - known.stat().st_mtime < DAY:
            answer = known.read_bytes()
            tomllib.loads(answer.decode())
            return answer
    except (OSError, ValueError):
        pass
    done = _run_uv(arguments, folder)
    if isinstance(done, bytes):
        write_file(known, done)
    return done


def _fingerprint(arguments: Sequence[str], folder: Path) -> str:
    """A hash of all that uv's answer depends on."""
    environment = _environment()
    configuration = [Path(o.partition("=")[2]) for o in _configuration(environment) if "=" in o]
    if "UV_CONFIG_FILE" in environment:
        configuration.append(Path(environment["UV_CONFIG_FILE"]))
    asked = {
        "uv": version("uv"),
        "arguments": list(arguments),
        "files": {p.name: p.read_text() for p in sorted(folder.iterdir())},
        "environment": {k: v for k, v in environment.items() if "INDEX" in k.upper() or k == "UV_CONFIG_FILE"},
        "configuration": [p.read_text(errors="replace") for p in configuration if p.is_file()],
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _run_uv(arguments: Sequence[str], folder: Path) -> bytes | str:
    """What uv prints, or, as text, why it could not answer."""
    try:
        uv = find_uv_bin()
    except FileNotFoundError as e:
        raise MissingTool(
            "the program uv is not installed", where=str(e), fix=f"{sys.executable} -m pip install --force-reinstall uv"
        ) from e
    environment = _environment()
    done = run(
        [
            uv,
            "pip",
            "compile",
            "--quiet",
            "--color=never",
            "--no-progress",
            f"--python={sys.executable}",
            "--no-python-downloads",
            *_configuration(environment),
            *arguments,
        ],
        cwd=folder,
        env=environment,
    )
    return done.stdout if done.returncode == 0 else done.stderr.decode(errors="replace")


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if _KEPT.fullmatch(k)}


def _configuration(environment: Mapping[str, str]) -> list[str]:
    """The user's or the machine's uv.toml, which may name a company's index; never one that lies about in folders."""
    if "UV_CONFIG_FILE" in environment:
        return []
    home = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/"), ".config"))
    found = next((p for p in (home / "uv" / "uv.toml", Path("/etc/uv/uv.toml")) if p.is_file()), None)
    return [f"--config-file={found}"] if found else ["--no-config"]


def _explain(question: Question, stderr: str, command: Sequence[str], folder: Path) -> list[PycomfyError]:
    """Why there is no answer. uv names one package without wheels at a time: leave it out and ask again."""
    if failed := _no_space(stderr) or _unreachable(stderr):
        return [failed]
    without: dict[str, NoWheel] = {}
    while (missing := _WITHOUT_WHEEL.search(stderr)) and missing[1] not in without and len(without) < MOST_PROBLEMS:
        without[missing[1]] = _no_wheel(missing, stderr, question, folder)
        (folder / "excludes").write_text("".join(name + "\n" for name in without))
        done = _run_uv([*command, "--excludes=excludes"], folder)
        if isinstance(done, bytes):
            return list(without.values())
        stderr = done
    return [*without.values(), _no_solution(question, stderr)] if not _unreachable(stderr) else list(without.values())


def _no_wheel(missing: re.Match[str], stderr: str, question: Question, folder: Path) -> NoWheel:
    """What there is of a package instead: uv is asked for it alone, without the platform."""
    name, versions = missing[1], missing[2].rstrip(",")
    (folder / "other.in").write_text(f"{name}{versions}\n")
    options = [o for o in _options(question.target) if not o.startswith("--python-platform")]
    done = _run_uv([*options, "--universal", "--no-deps", "other.in"], folder)
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
    if "`exclude-newer`" in stderr:
        fix = "if a newer package is needed, set a later date: as-of in pycomfy.toml, or --as-of"
    elif "not found in the package registry" in stderr:
        fix = "correct the name, or name the index that has it: UV_INDEX, or `index` in uv.toml"
    else:
        example = min(named, default="NAME")
        fix = f'choose one version for all in pycomfy.toml: overrides = ["{example}==…"]'
    return NoSolution(
        f"no set of Python packages satisfies all for {question.target.platform}: {_reason(stderr)}",
        where=_who_wants(question, named) or "the Python requirements",
        fix=fix,
    )


def _named(stderr: str, question: Question) -> set[str]:
    """The packages that both uv's explanation and an origin name."""
    words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", stderr)}
    return {a.name for wants in question.wants for a in (*wants.asked, *wants.constraints)} & words


def _who_wants(question: Question, names: set[str]) -> str:
    return "; ".join(
        f"{wants.origin} wants {a.text} ({a.where})"
        for wants in question.wants
        for a in (*wants.asked, *wants.constraints)
        if a.name in names
    )


def _reason(stderr: str) -> str:
    """uv's explanation without its headings, in one paragraph; its hints are about options that we choose."""
    text = stderr.split("\nhint:", 1)[0]
    text = re.sub(r"^\s*(error|cause|×|├─▶|╰─▶)\s*:?\s*", "", text, flags=re.MULTILINE)
    text = re.sub(r"^No solution found when resolving dependencies:?\s*", "", text.strip())
    return _without_passwords(re.sub(r"\s+", " ", text)).strip().rstrip(".")


def _no_space(stderr: str) -> NoSpace | None:
    if not says_disk_is_full(stderr):
        return None
    where = re.search(r"(?:`|file |folder |directory )(/[^`\n]+?)`?(?::|$)", stderr, flags=re.MULTILINE)
    return no_space(Path(where[1]) if where else Path(_environment().get("UV_CACHE_DIR") or Path.home()))


def _unreachable(stderr: str) -> Unreachable | None:
    if refused := re.search(r"An index URL \((\S+)\) could not be queried[^(]*\(([^)]*)\)", stderr):
        return Unreachable(
            f"the Python index refuses to answer: {refused[2]}",
            where=_without_passwords(refused[1]),
            fix="give uv credentials that it accepts: in netrc, a keyring, or the index's URL",
        )
    if not re.search(r"Failed to fetch|error sending request|Request failed after|network was disabled", stderr):
        return None
    url = re.search(r"Failed to fetch:? `?(\S+?)`?$", stderr, flags=re.MULTILINE)
    return Unreachable(
        f"the Python index did not answer: {_reason(stderr)}",
        where=_without_passwords(url[1]) if url else "uv",
        fix="trust your network's certificates: set SSL_CERT_FILE to the file that has them"
        if "certificate" in stderr
        else "check the network and the proxy",
    )


def _without_passwords(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//", text)
