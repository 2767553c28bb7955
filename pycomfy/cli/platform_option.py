"""The option `--platform`: its values, and the error for any other."""

from collections.abc import Iterable

import typer

from pycomfy.core.lockfile.platforms import MACHINES, PlatformName

PLATFORM_METAVAR = "|".join(MACHINES)


def parse_platform(text: str | None) -> PlatformName | None:
    """Return the platform that the user named, None if they named none. Raises `typer.BadParameter` for any other."""
    if text is None:
        return None
    for platform in MACHINES:
        if text == platform:
            return platform
    raise typer.BadParameter(f"{text!r} is not a platform: write {' or '.join(MACHINES)}", param_hint="--platform")


def parse_platforms(texts: Iterable[str] | None) -> tuple[PlatformName, ...]:
    """Return the platforms that the user named, in that order. Raises `typer.BadParameter` for any other."""
    return tuple(platform for text in texts or () if (platform := parse_platform(text)) is not None)
