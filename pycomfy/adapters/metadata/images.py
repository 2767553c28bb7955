"""Find workflows in images: PNG and APNG chunks, EXIF of WebP, JPEG and AVIF, the metadata of SVG."""

import html
import re
import struct
import zlib

from pycomfy.adapters.metadata.binary_reader import (
    KEYS,
    MAX_PIECE,
    Malformed,
    Reader,
    Texts,
    add_comment,
    add_text,
)

MAX_TAGS = 2_000
_EXIF_POINTERS = (0x8769, 0x014A)
_USER_COMMENT = 0x9286


def read_png(file: Reader, texts: Texts) -> None:
    """Read `tEXt` and `iTXt` chunks, and the private `comf` chunks that ComfyUI writes into APNG; `zTXt` if there are
    no others.

    As ComfyUI's editor does it (`getFromPngBuffer` of the frontend 1.58): to the end of the file, also after `IEND`,
    where some programs append; of several texts of a name the last; an `iTXt` that cannot be inflated is passed over.
    """
    found: dict[str, bytes] = {}
    compressed: dict[str, bytes] = {}
    try:
        file.skip(8)
        while file.remaining() >= 8:
            length, kind = struct.unpack(">I4s", file.read(8))
            if kind not in (b"tEXt", b"zTXt", b"iTXt", b"comf"):
                file.skip(length + 4)
                continue
            data = file.read(length)
            name, _, value = data.partition(b"\0")
            key = name.decode("latin-1")
            if key.lower() in KEYS:
                key = key if key.islower() else key.upper()
                if kind == b"zTXt":
                    compressed[key] = value[1:]
                elif kind != b"iTXt":
                    found[key] = _utf8(value)
                elif (text := _international(value)) is not None:
                    found[key] = text
            file.skip(4)
    finally:
        # Those with the editor's spelling go first.
        for key in sorted(found, reverse=True):
            add_text(texts, key, found[key])
        for key in sorted(compressed.keys() - texts.keys(), reverse=True):
            add_text(texts, key, _inflate(compressed[key]))


def _utf8(value: bytes) -> bytes:
    """Return a `tEXt` value as UTF-8. It is Latin-1 by its standard; ComfyUI writes ASCII, others UTF-8."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1").encode()
    return value


def _international(value: bytes) -> bytes | None:
    """Return the text of an `iTXt` chunk; None if it is malformed."""
    parts = value[2:].split(b"\0", 2)
    if len(parts) < 3:
        return None
    try:
        return _inflate(parts[2]) if value[0] == 1 else parts[2]
    except Malformed:
        return None


def _inflate(data: bytes) -> bytes:
    """Inflate to at most `MAX_PIECE`: a small chunk may claim to hold gigabytes."""
    try:
        return zlib.decompressobj().decompress(data, MAX_PIECE)
    except zlib.error as e:
        raise Malformed from e


def read_webp(file: Reader, texts: Texts) -> None:
    """Read the `EXIF` chunk."""
    file.skip(12)
    while file.remaining() >= 8:
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"EXIF":
            read_exif(file.read(length), texts)
            return
        file.skip(length + length % 2)


def read_jpeg(file: Reader, texts: Texts) -> None:
    """Read EXIF in `APP1`, and comments."""
    file.skip(2)
    while file.remaining() >= 4 and len(texts) < len(KEYS):
        mark, kind = file.unpack(">BB")
        if mark != 0xFF or kind in (0xD9, 0xDA):
            return
        if kind == 0xFF:
            file.seek(file.position - 1)
            continue
        (length,) = file.unpack(">H")
        if kind == 0xE1 or kind == 0xFE:
            data = file.read(length - 2)
            if data.startswith(b"Exif\0\0"):
                read_exif(data, texts)
            elif kind == 0xFE:
                add_comment(texts, data)
        else:
            file.skip(length - 2)


def read_exif(data: bytes, texts: Texts) -> None:
    """Read the text fields of a TIFF structure: ComfyUI writes `prompt:{…}` in Model, `workflow:{…}` in Make and on."""
    data = data.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        raise Malformed
    offsets, seen, tags = [struct.unpack(order + "I", data[4:8])[0]], set(), 0
    while offsets:
        at = offsets.pop()
        if at in seen or not 0 < at <= len(data) - 2:
            continue
        seen.add(at)
        (count,) = struct.unpack_from(order + "H", data, at)
        for i in range(count):
            entry, tags = at + 2 + 12 * i, tags + 1
            if entry + 12 > len(data) or tags > MAX_TAGS:
                return
            tag, kind, length, value = struct.unpack_from(order + "HHII", data, entry)
            if tag in _EXIF_POINTERS:
                offsets.append(value)
            elif kind in (2, 7):
                start = value if length > 4 else entry + 8
                text = data[start : start + length]
                if tag == _USER_COMMENT:
                    text = _user_comment(text)
                add_comment(texts, text.rstrip(b"\0"))


def _user_comment(data: bytes) -> bytes:
    if data.startswith(b"UNICODE\0"):
        body = data[8:]
        encoding = "utf-16-le" if body[1:2] == b"\0" else "utf-16-be"
        return body.decode(encoding, "replace").encode(errors="replace")
    return data.removeprefix(b"ASCII\0\0\0")


def read_svg(file: Reader, texts: Texts) -> None:
    """Read the JSON in `<metadata>`. It is searched for, not parsed as XML: no entities, no expansion."""
    text = file.read(min(file.size, MAX_PIECE)).decode(errors="replace")
    for match in re.finditer(r"<metadata[^>]{0,1000}>([^<]*)(?:<!\[CDATA\[)?", text):
        start = match.end()
        cdata = text.endswith("<![CDATA[", 0, start)
        end = text.find("]]>" if cdata else "</metadata>", start if cdata else match.start(1))
        if end >= 0:
            body = text[start:end] if cdata else html.unescape(text[match.start(1) : end])
            add_comment(texts, body.strip().encode(errors="replace"))
