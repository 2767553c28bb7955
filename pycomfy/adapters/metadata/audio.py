"""Find workflows in audio: Vorbis comments of FLAC, Ogg and Opus, ID3 tags of MP3."""

import struct

from pycomfy.adapters.metadata.binary_reader import (
    KEYS,
    MAX_PIECE,
    MAX_PIECES,
    Malformed,
    Reader,
    Texts,
    add_comment,
    add_text,
)


def read_flac(file: Reader, texts: Texts) -> None:
    """Read the metadata block of type 4."""
    file.skip(4)
    last = False
    while not last and file.remaining() >= 4:
        head = int.from_bytes(file.read(4), "big")
        last, kind, length = bool(head >> 31), (head >> 24) & 0x7F, head & 0xFFFFFF
        if kind == 4:
            read_vorbis(file.read(length), texts)
            return
        file.skip(length)


def read_vorbis(data: bytes, texts: Texts) -> None:
    """Read `key=value` pairs with little-endian lengths."""
    at = 0

    def take() -> bytes:
        nonlocal at
        if at + 4 > len(data):
            raise Malformed
        (length,) = struct.unpack_from("<I", data, at)
        at += 4 + length
        if at > len(data):
            raise Malformed
        return data[at - length : at]

    take()
    if at + 4 > len(data):
        raise Malformed
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    for _ in range(min(count, MAX_PIECES)):
        key, _, value = take().partition(b"=")
        add_text(texts, key.decode("utf-8", "replace"), value)
        if key.lower() == b"comment":
            add_comment(texts, value)


def read_ogg(file: Reader, texts: Texts) -> None:
    """Read the second packet of an Opus, Vorbis or FLAC stream, joined from its pages."""
    packets: list[bytes] = []
    packet, total = [], 0
    for _ in range(MAX_PIECES):
        if file.remaining() < 27 or len(packets) >= 3:
            break
        head = file.read(27)
        if head[:4] != b"OggS":
            raise Malformed
        table = file.read(head[26])
        for size in table:
            packet.append(file.read(size))
            total += size
            if total > MAX_PIECE:
                raise Malformed
            if size < 255:
                packets.append(b"".join(packet))
                packet = []
    for data in packets:
        for mark in (b"OpusTags", b"\x03vorbis"):
            if data.startswith(mark):
                read_vorbis(data[len(mark) :], texts)
                return
        if data[:1] == b"\x84" or data[:1] == b"\x04":
            read_vorbis(data[4:], texts)
            return


def read_mp3(file: Reader, texts: Texts) -> None:
    """Read the `TXXX` frames of an ID3v2 tag (2.3 and 2.4)."""
    head = file.read(10)
    version, flags = head[3], head[5]
    if version not in (3, 4):
        return
    end = min(file.size, 10 + _unsynchronised(head[6:10]))
    if flags & 0x40:
        size = file.read(4)
        file.skip(_unsynchronised(size) - 4 if version == 4 else int.from_bytes(size, "big"))
    while file.position + 10 <= end and len(texts) < len(KEYS):
        kind, raw_size, _flags = struct.unpack(">4s4sH", file.read(10))
        if not kind.strip(b"\0"):
            return
        length = _unsynchronised(raw_size) if version == 4 else int.from_bytes(raw_size, "big")
        if kind != b"TXXX":
            file.skip(length)
            continue
        data = file.read(length)
        if data:
            key, value = _id3_texts(data[0], data[1:])
            add_text(texts, key, value.encode(errors="replace"))


def _unsynchronised(raw: bytes) -> int:
    return (raw[0] & 127) << 21 | (raw[1] & 127) << 14 | (raw[2] & 127) << 7 | (raw[3] & 127)


def _id3_texts(encoding: int, data: bytes) -> tuple[str, str]:
    """Return the description and the value of a `TXXX` frame."""
    name = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}.get(encoding)
    if name is None:
        raise Malformed
    if encoding in (0, 3):
        key, _, value = data.partition(b"\0")
        return key.decode(name, "replace"), value.decode(name, "replace").rstrip("\0")
    end = next((i for i in range(0, len(data) - 1, 2) if data[i : i + 2] == b"\0\0"), len(data))
    return data[:end].decode(name, "replace"), data[end + 2 :].decode(name, "replace").rstrip("\0")
