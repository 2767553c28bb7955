"""Pin the browser in which ComfyUI's own editor makes a workflow's prompt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pycomfy.adapters.debian.packages import DebianReleases
from pycomfy.adapters.debian.rootfs import pin_browser
from pycomfy.adapters.io.concurrency import flatten_errors, run_concurrently
from pycomfy.core.analysis.browser_code import has_browser_code
from pycomfy.core.debian.base_packages import BROWSER_PACKAGES
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import DebianPackages, Root
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.errors import NoDebianPackage, PycomfyError
from pycomfy.services.workspace import Workspace

MAX_NAMED = 8
"""Node packs that a note names."""


@dataclass(frozen=True)
class BrowserRequest:
    """`packs` are the texts of the node packs that the workflow takes types from, by pack; `roots` are the root
    filesystems of the image, which share packages with the browser."""

    config: Config
    policy: UpdatePolicy
    packs: Mapping[str, Mapping[str, str]]
    roots: Mapping[PlatformName, Root]


@dataclass(frozen=True)
class PinnedBrowsers:
    """The browser of each platform, none where the editor is not needed; and remarks for the user."""

    pins: Mapping[PlatformName, DebianPackages] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def pin_browsers(
    workspace: Workspace, request: BrowserRequest, releases: Callable[[], DebianReleases]
) -> PinnedBrowsers:
    """Pin a browser where node packs have code for the editor, or pycomfy.toml asks for one. Nothing of it is fetched.
    Where Debian has none there is a remark. Raises what reading Debian's package lists raises."""
    config = request.config
    packs = sorted(name for name, files in request.packs.items() if has_browser_code(files))
    if config.editor.use == "never" or (config.editor.use == "auto" and not packs):
        return PinnedBrowsers()
    kept = request.policy.browsers(config, BROWSER_PACKAGES)
    new = [p for p in config.platforms if p not in kept]
    try:
        pinned = run_concurrently({p: partial(pin_browser, config, p, workspace.paths, releases()) for p in new})
        pins = {**kept, **{p: pinned[p] for p in new}}
    except PycomfyError as e:
        missing = flatten_errors(e)
        if not all(isinstance(problem, NoDebianPackage) for problem in missing):
            raise
        return PinnedBrowsers(
            notes=(
                f"{_packs_with_code(packs)}, but Debian has no browser to run it in ({missing[0].what}): the prompt is"
                " made by pycomfy's own conversion",
            )
        )
    pins = {p: pins[p] for p in config.platforms}
    sizes = [_download_size(pins[p], request.roots[p]) for p in config.platforms]
    megabytes = " and ".join(f"{size / 1e6:.0f} MB" for size in dict.fromkeys(sizes))
    first = _packs_with_code(packs) if packs else "pycomfy.toml asks for the editor"
    note = (
        f"{first}: builds ask ComfyUI's own editor for the prompt, in a Chromium that no image contains (Debian"
        f" packages of {megabytes}{' for each platform' if len(sizes) > 1 else ''}, fetched by the first build that"
        " asks)"
    )
    return PinnedBrowsers(pins, (note,))


def _packs_with_code(packs: list[str]) -> str:
    named = ", ".join(packs[:MAX_NAMED]) + (f" and {len(packs) - MAX_NAMED} more" if len(packs) > MAX_NAMED else "")
    return f"{named} {'has' if len(packs) == 1 else 'have'} code for the editor"


def _download_size(browser: DebianPackages, root: Root) -> int:
    """Bytes to download beyond the image's own packages."""
    own = {p.sha256 for p in root.packages}
    return sum(p.size for p in browser.packages if p.sha256 not in own)
