"""Folders inside wheels as sources."""

import posixpath
import shutil
from pathlib import Path, PurePosixPath

from pycomfy.adapters.git.checkout import MAX_TEXT
from pycomfy.adapters.io import download
from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.adapters.python.uv_process import with_login
from pycomfy.adapters.sources.adapter import FileAdapter, PinnedSource, SourceContext
from pycomfy.adapters.sources.text_files import decode_text, is_text
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.sources.wheel_tree import WheelSpec, WheelTreeSource
from pycomfy.errors import BadInput, HashMismatch, NotFound


class WheelTreeAdapter(FileAdapter[WheelSpec, WheelTreeSource]):
    """A folder in a wheel of an index."""

    spec_type = WheelSpec
    source_type = WheelTreeSource

    def pin(self, spec: WheelSpec, context: SourceContext) -> PinnedSource:
        cache = context.paths.cache
        wheel, date = pin_wheel(spec.wheel, Target("linux/amd64", "3.11"), cache, context.indexes)
        url = with_login(wheel.url, context.indexes) or wheel.url
        path = download.fetch(url, wheel.sha256, name=wheel.filename, size=wheel.size or None, cache=cache)
        files = _read_wheel(path, spec, context.owner)
        source = WheelTreeSource(
            url=wheel.url,
            sha256=wheel.sha256,
            name=wheel.filename,
            size=path.stat().st_size,
            folder=spec.folder,
            exclude=tuple(sorted(spec.exclude)),
        )
        return PinnedSource(source, files, date)

    def unpack(self, source: WheelTreeSource, file: Path, to: Path) -> None:
        """Files alone, of the two modes there are."""
        prefix = source.folder + "/"

        def refuse(why: str) -> HashMismatch:
            return HashMismatch(f"the wheel cannot be unpacked: {why}", where=file.name, fix="lock again")

        with open_zip(file, refuse) as z:
            for member in z.infolist():
                name = member.filename.removeprefix(prefix)
                if not member.filename.startswith(prefix) or member.is_dir() or name in source.exclude:
                    continue
                parts = PurePosixPath(name).parts
                if name.startswith("/") or "\\" in name or ".." in parts or not parts:
                    raise refuse(f"{name!r} escapes from its folder")
                path = to.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists():
                    raise refuse(f"{name!r} is in it twice")
                with z.open(member) as data, path.open("xb") as out:
                    shutil.copyfileobj(data, out, 1 << 20)
                path.chmod(0o755 if member.external_attr >> 16 & 0o111 else 0o644)


def _read_wheel(path: Path, spec: WheelSpec, owner: str) -> dict[str, str]:
    prefix = spec.folder + "/"
    files: dict[str, str] = {}

    def refuse(why: str) -> BadInput:
        return BadInput(f"{owner}: not a wheel: {why}", where=path.name, fix="name another wheel")

    with open_zip(path, refuse) as wheel:
        _check_names(wheel.namelist(), owner, path.name)
        members = [m for m in wheel.infolist() if m.filename.startswith(prefix) and not m.is_dir()]
        names = {m.filename.removeprefix(prefix) for m in members}
        for member in members:
            name = member.filename.removeprefix(prefix)
            if is_text(name) and name not in spec.exclude and member.file_size <= MAX_TEXT:
                files[name] = decode_text(wheel.read(member))
    where = f"pycomfy.toml, the wheel {spec.wheel}"
    if not members:
        raise NotFound(f"{owner}: the wheel has no folder {spec.folder}", where=where, fix="correct folder = …")
    if absent := [name for name in spec.exclude if name not in names]:
        raise NotFound(f"{owner}: the folder has no file {', '.join(absent)}", where=where, fix="correct exclude = …")
    return files


def _check_names(names: list[str], owner: str, wheel: str) -> None:
    """The image's builder refuses such a wheel as well; this error comes earlier."""
    for name in names:
        path = name.removesuffix("/")
        if path.startswith("/") or posixpath.normpath(path) != path or path.split("/")[0] == ".." or "\\" in path:
            raise BadInput(
                f"{owner}: the wheel is refused: it has a file named {name[:200]!r}",
                where=wheel,
                fix="name another wheel, or another source",
            )
