"""Explain why a wheel could not be built from source, by the log of its build."""

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from pycomfy.core.analysis.module_names import key, packages
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.python.build_recipe import SourcePackage
from pycomfy.errors import BuildFailed, MissingTool, NoMatchingDistribution, PycomfyError

MAX_LOG_LINES = 25
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([A-Za-z_][A-Za-z0-9_.]{0,99})'")

_SANDBOX_FIXES = {
    "Nix builds without its sandbox": "set `sandbox = true` in /etc/nix/nix.conf, or let your user choose it there "
    "(`trusted-users`), and restart nix-daemon",
    "make namespaces of its own": "allow it: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu "
    "kernel.apparmor_restrict_unprivileged_userns=0",
}
"""What our builder prints where a build would be unsafe or impossible, and how to fix it."""


def explain_failure(
    error: BuildFailed | None, source: SourcePackage, platform: PlatformName, log: Path
) -> PycomfyError:
    """Return the error for a source without a wheel, with the end of its build's log. `error` is None where the build
    was repeated too often."""
    text = f"{error}" if error is not None else ""
    for sign, fix in _SANDBOX_FIXES.items():
        if sign in text:
            what = f"{source.label} has to be built from source, which needs Nix's sandbox"
            return MissingTool(what, where=f"this machine's Nix; the full log is {log}", fix=fix)
    lines = read_log(log, source.name)[-MAX_LOG_LINES:]
    section = f"[wheels.{canonicalize_name(source.name)}]"
    table = f'{section} requires = ["…"], compiler = true, apt = ["…"]'
    missing = next(filter(None, map(_NO_MODULE.search, reversed(lines))), None)
    if missing is not None and (known := packages(key(missing[1]))):
        table = f'perhaps {section} requires = ["{known[0]}"]'
    return NoMatchingDistribution(
        f"{source.label} exists as source only for {platform}, and its build fails",
        where=f"{source.required_by or 'the Python requirements'}; the full log is {log}"
        + ("; its last lines:" if lines else ""),
        details="\n".join(f"    {line}" for line in lines),
        fix=(
            f"in pycomfy.toml, add what the build lacks: {table}",
            f'take a version that has wheels: overrides = ["{source.name}==…"]',
        ),
    )


def read_log(log: Path, name: str) -> list[str]:
    """Return the lines that a package's build printed, from the log of Nix; none if there is no log."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return []
    prefix = f"wheel-{name}> "
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
