"""Detect the format of a file by its first bytes, and find the workflow in it."""

from collections.abc import Callable
from typing import BinaryIO

from pycomfy.adapters.metadata.audio import read_flac, read_mp3, read_ogg
from pycomfy.adapters.metadata.binary_reader import Malformed, Reader, Texts
from pycomfy.adapters.metadata.images import read_jpeg, read_png, read_svg, read_webp
from pycomfy.adapters.metadata.isobmff import read_avif, read_mp4
from pycomfy.adapters.metadata.matroska_gltf import read_glb, read_safetensors, read_webm
from pycomfy.adapters.metadata.zip_workflow import find_in_zip
from pycomfy.core.workflow.markdown import find_in_markdown, has_fence
from pycomfy.core.workflow.untrusted_json import MAX_BYTES
from pycomfy.errors import BadWorkflow

Parser = Callable[[Reader, Texts], None]


def find_workflow(file: BinaryIO, *, where: str) -> bytes:
    """Return the JSON in `file`: the file itself, or what ComfyUI saved inside; the editor's format if there is one,
    else the prompt. In a zip file and in the fenced blocks of a Markdown text there may be one workflow.

    `file` must be seekable. Raises `BadWorkflow` if there is no workflow, the file is malformed before it, or the
    format is unknown.
    """
    reader = Reader(file)
    head = reader.read(min(64, reader.size))
    reader.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return find_in_zip(file, lambda inner, name: _find(inner, where=name), where=where)
    return _find(file, where=where)


def _find(file: BinaryIO, *, where: str) -> bytes:
    """Return the JSON in a file that is no zip file."""
    reader = Reader(file)
    head = reader.read(min(64, reader.size))
    reader.seek(0)
    parser = _parser(head)
    if parser is None:
        if not _is_text(head):
            raise BadWorkflow(
                "not a file format that can contain a workflow",
                where=where,
                fix="give a workflow (.json), or an image, audio or video file that ComfyUI saved",
            )
        if reader.size > MAX_BYTES:
            raise BadWorkflow(f"larger than {MAX_BYTES >> 20} MiB", where=where, fix="give a workflow")
        return _find_in_text(file.read(), where)
    name, parse = parser
    texts, malformed = _parse(parse, reader)
    found = texts.get("workflow", texts.get("prompt"))
    if found is None and parse is read_svg and reader.size <= MAX_BYTES:
        reader.seek(0)
        data = file.read()
        # A Markdown text may begin with a comment, too.
        if b"<svg" not in data:
            return _find_in_text(data, where)
    if found is None:
        raise BadWorkflow(
            f"a malformed {name} file, with no workflow in what can be read"
            if malformed
            else f"no workflow in this {name} file",
            where=where,
            fix="give the file as ComfyUI saved it: programs and sites that convert images drop the workflow",
        )
    return found


def find_maker(file: BinaryIO) -> tuple[str, Texts]:
    """Return the format of a media file, "" if it is unknown, and the texts in it, which may be anybody's. `file` must
    be seekable; what is malformed in it is left out."""
    reader = Reader(file)
    head = reader.read(min(64, reader.size))
    reader.seek(0)
    parser = _parser(head)
    return ("", {}) if parser is None else (parser[0], _parse(parser[1], reader)[0])


def _parse(parse: Parser, reader: Reader) -> tuple[Texts, bool]:
    """Return the texts in a file, and whether it is malformed behind them."""
    texts: Texts = {}
    try:
        parse(reader, texts)
    except Malformed:
        return texts, True
    return texts, False


def _find_in_text(data: bytes, where: str) -> bytes:
    """Return the JSON in a text: all of it, unless it is Markdown with fenced blocks."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[", b'"')):
        return data
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data
    return find_in_markdown(text, where=where) if has_fence(text) else data


def _parser(head: bytes) -> tuple[str, Parser] | None:
    """Return the format's name and its parser; None if it is unknown."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG", read_png
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP", read_webp
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG", read_jpeg
    if head.startswith(b"fLaC"):
        return "FLAC", read_flac
    if head.startswith(b"OggS"):
        return "Ogg", read_ogg
    if head.startswith(b"ID3"):
        return "MP3", read_mp3
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "WebM", read_webm
    if head.startswith(b"glTF"):
        return "GLB", read_glb
    if head[4:8] == b"ftyp":
        is_image = head[8:12] in (b"avif", b"avis", b"heic", b"mif1", b"msf1")
        return ("AVIF", read_avif) if is_image else ("MP4", read_mp4)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < MAX_BYTES:
        return "safetensors", read_safetensors
    if start.startswith((b"<?xml", b"<svg", b"<!DOCTYPE svg", b"<!--")):
        return "SVG", read_svg
    return None


def _is_text(head: bytes) -> bool:
    """Return whether it is text: JSON, or something whose error as JSON shows where it is wrong."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return all(b >= 32 or b in b"\t\n\r" for b in head)
