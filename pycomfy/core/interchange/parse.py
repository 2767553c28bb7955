"""Find the format of a file, and read it."""

from collections.abc import Iterable, Mapping

from pycomfy.core.interchange.document import parse_document
from pycomfy.core.interchange.format import ForeignFile, Format, ZipLayout
from pycomfy.core.interchange.model import EnvironmentSpec
from pycomfy.core.interchange.registry import FORMATS, load_formats
from pycomfy.errors import BadInput, Fixes, Placeholder, suggest


def list_zip_layouts() -> tuple[ZipLayout, ...]:
    """Return the layouts of the formats that are zip files, each once."""
    return tuple(dict.fromkeys(f.zip_layout for f in load_formats() if f.zip_layout is not None))


def detect_format(document: object, formats: Iterable[Format] | None = None) -> Format | None:
    """Return the format of a document, one of `formats` (default: all); None if it has none of them."""
    if not isinstance(document, Mapping):
        return None
    return next((f for f in (load_formats() if formats is None else formats) if f.detect(document)), None)


def parse_environment(data: bytes, where: str, expected: Format | None = None) -> tuple[Format, EnvironmentSpec]:
    """Read the file `where`, which is not a zip file. Raises `BadInput`, also for a file that is recognised as one of
    another format than `expected`."""
    document = parse_document(data, where)
    found = detect_format(document)
    chosen = expected or found
    if chosen is None or not isinstance(document, Mapping):
        raise _unsupported(document, where)
    _check_expected(expected, found, where)
    return chosen, chosen.parse(ForeignFile(document, where, where))


def parse_members(
    members: Mapping[str, bytes], layout: ZipLayout, where: str, expected: Format | None = None
) -> tuple[Format, EnvironmentSpec]:
    """Read a zip file by its `layout.texts`, as `parse_environment` does. A manifest that no format of that layout
    recognises is read as the first of them."""
    formats = [f for f in load_formats() if f.zip_layout == layout]
    manifest = f"{layout.manifest} in {where}"
    document = parse_document(members[layout.manifest], manifest, layout.manifest)
    if not isinstance(document, Mapping):
        raise BadInput("not an object", where=manifest, fix=f"give {formats[0].title}")
    found = detect_format(document, formats)
    _check_expected(expected, found or formats[0], where)
    chosen = found or formats[0]
    others = {path: data for path, data in members.items() if path != layout.manifest}
    return chosen, chosen.parse(ForeignFile(document, manifest, where, others))


def _check_expected(expected: Format | None, found: Format | None, where: str) -> None:
    if expected is not None and found is not None and found.name != expected.name:
        raise BadInput(
            f"not {expected.title}, but {found.title}",
            where=where,
            fix=(suggest("retry", format_=found.name), suggest("retry", format_=False)),
        )


def _unsupported(document: object, where: str) -> BadInput:
    fix: Fixes
    if _is_workflow(document):
        what, fix = "a workflow, not another tool's description of an installation", suggest("lock", workflow=where)
    else:
        what = "unsupported file format"
        fix = suggest("retry", f"one of {', '.join(FORMATS)}", format_=Placeholder("FORMAT"))
    return BadInput(what, where=where, fix=fix)


def _is_workflow(document: object) -> bool:
    if not isinstance(document, Mapping):
        return False
    nodes = list(document.values())
    return isinstance(document.get("nodes"), list) or (
        bool(nodes) and all(isinstance(n, Mapping) and "class_type" in n for n in nodes)
    )
