"""Find what lets node packs be imported that an image cannot import: a version of a package from the pack's own days,
or a package that is missing. Nothing is proposed that was not tried in the image's sandbox."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.engine import StartableImage
from pycomfy.adapters.containers.node_definitions import fetch_node_definitions
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.download import File, fetch_all
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.python.resolver import compile_pylock
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.adapters.python.venv import unpack_wheels
from pycomfy.adapters.sources.git import join_address
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import LOCK_FILE, Lock, Wheel, render_lock
from pycomfy.core.lockfile.toml import at_top, render_list
from pycomfy.core.python.requirements import make_requirement_set
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.core.sources.git import GitSource
from pycomfy.core.versions.verification import NodeDefinitions, Suspect, Verification, find_suspect, suspect_missing
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import PycomfyError
from pycomfy.operation import Operation
from pycomfy.services.lock.lock import LockResult
from pycomfy.services.lock.lock import lock as make_lock
from pycomfy.services.lock.python import read_index_config
from pycomfy.services.lock_request import LockRequest, read_config
from pycomfy.services.verification import verify_image
from pycomfy.services.workspace import Workspace

MAX_TRIED = 3
"""Packs for which something is tried; each takes a start of ComfyUI."""

MAX_BYTES = 1 << 30
"""Bytes of the packages that are fetched for one trial."""


@dataclass(frozen=True)
class Trial:
    """An image that cannot import some of its packs. `image` returns it for the engine; `answer` is
    what it answered."""

    workspace: Workspace
    request: LockRequest
    lock: Lock
    platform: PlatformName
    workflow: Workflow
    answer: NodeDefinitions
    image: Callable[[], StartableImage]

    def find_remedies(self, verification: Verification) -> dict[str, str]:
        """Return, by pack, the change of pycomfy.toml with which the image can import it, and all that it could import
        before. Only packs that the workflow needs are tried; where nothing helped, there is nothing."""
        names = {wheel.name for wheel in self.lock.platforms[self.platform].wheels}
        failed = {p.name: p.failure for p in verification.parts if p.lacking and p.failure is not None}
        found = {name: find_suspect(failure, names) for name, failure in failed.items()}
        if not all(found.values()):
            # Some packs hide that an import failed, and fail later for want of a name.
            missing = self._find_missing()
            found = {name: suspect or missing.get(name) for name, suspect in found.items()}
        suspects = {name: suspect for name, suspect in found.items() if suspect is not None}
        remedies: dict[str, str] = {}
        for name, suspect in list(suspects.items())[:MAX_TRIED]:
            try:
                remedy = self._try(name, suspect)
            except PycomfyError:
                continue  # what failed is the trial, and the import's own error is told
            if remedy is not None:
                remedies[name] = remedy
        return remedies

    def _find_missing(self) -> dict[str, Suspect]:
        """For each pack the first package that it imports, and that nothing of the lock has."""
        with scratch_folder() as folder:
            try:
                findings = self._lock(self.request, Path(folder)).findings
            except PycomfyError:
                return {}
        return suspect_missing(findings)

    def _lock(self, request: LockRequest, folder: Path) -> LockResult:
        """Lock the workflow again into a file of the folder, in silence; packs that were found stay as they are."""
        config, output = self.request.config_file, folder / LOCK_FILE
        output.write_text(render_lock(self.lock))
        request = replace(request, config=config if config.exists() else None, output=output)
        with Operation(cancel_scope=operation.cancel_scope()).running():
            return make_lock(self.workspace, request)

    def _try(self, pack: str, suspect: Suspect) -> str | None:
        base, config = read_config(self.request)
        change = self._change(pack, suspect, config, base)
        if change is None:
            return None
        with (
            operation.step(f"Try {(*change.requirements, *change.overrides)[0]} for {pack}") as task,
            scratch_folder() as temporary,
        ):
            folder = Path(temporary)
            if not self._works(pack, self._lock(change, folder).lock, folder):
                task.note("does not help")
                return None
            task.note("helps")
        kept, table = (config.requirements, "requirements") if suspect.missing else (config.overrides, "overrides")
        added = change.requirements if suspect.missing else change.overrides
        line = at_top(render_list(table, [*kept, *added]), table if kept else "")
        return f"{line}: this was tried, and {pack} can be imported with it"

    def _change(self, pack: str, suspect: Suspect, config: Config, base: Path) -> LockRequest | None:
        """The request with the missing package, or with the version of the suspected one that was the newest when the
        pack was made."""
        if suspect.missing:
            return replace(self.request, requirements=(*self.request.requirements, suspect.package))
        made = self._date(pack, base)
        if made is None:
            return None
        indexes = read_index_config(config, base, self.workspace.environment)
        wanted = make_requirement_set(pack, [suspect.package], pack)
        target = Target(self.platform, self.lock.python)
        request = ResolutionRequest([wanted], target, made, index_config=indexes)
        pylock = compile_pylock(request, self.workspace.paths.cache)
        versions = {w.name: w.version for w in choose_wheels(pylock, self.platform, self.lock.python)}
        before = {w.name: w.version for w in self.lock.platforms[self.platform].wheels}
        version = versions.get(suspect.package)
        if version is None or version == before.get(suspect.package):
            return None
        return replace(self.request, overrides=(*self.request.overrides, f"{suspect.package}=={version}"))

    def _date(self, pack: str, base: Path) -> datetime | None:
        """When the commit of a pack was made; None for one of another kind."""
        source = self.lock.sources[pack]
        if not isinstance(source, GitSource):
            return None
        mirror = GitMirror(join_address(source.url, base), owner=pack, cache=self.workspace.paths.cache / "git")
        return mirror.commit_date(source.commit)

    def _works(self, pack: str, locked: Lock, folder: Path) -> bool:
        """Whether the image imports the pack with the packages of another lock, and loses none for it."""
        old = {wheel.sha256 for wheel in self.lock.platforms[self.platform].wheels}
        new = [wheel for wheel in locked.platforms[self.platform].wheels if wheel.sha256 not in old]
        if not new or any(w.built or not w.url.startswith("https://") for w in new):
            return False
        if sum(wheel.size for wheel in new) > MAX_BYTES:
            return False
        packages, data = folder / "packages", folder / "data"
        data.mkdir()
        unpack_wheels(self._fetch(new, folder), packages, Target(self.platform, self.lock.python), folder / "uv")
        answer = fetch_node_definitions(
            self.workspace.engine,
            self.image(),
            data,
            folder / "comfyui.log",
            packages=packages,
            limits=self.workspace.limits,
        )
        failed, before = ({failure.pack for failure in one.failures} for one in (answer, self.answer))
        parts = {part.name: part for part in verify_image(locked, self.workflow, answer).parts}
        return parts[pack].works and failed < before

    def _fetch(self, wheels: list[Wheel], folder: Path) -> list[Path]:
        files = fetch_all(
            [File(w.url, w.sha256, w.filename, w.size or None) for w in wheels], cache=self.workspace.paths.cache
        )
        named = folder / "wheels"
        named.mkdir()
        for wheel, file in zip(wheels, files, strict=True):
            (named / wheel.filename).symlink_to(file)
        return [named / wheel.filename for wheel in wheels]
