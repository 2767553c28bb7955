"""Data URIs (RFC 2397): a file inside an address."""

import base64
import binascii
from urllib.parse import unquote_to_bytes

from .model import AssetError, TooLarge

DEFAULT_TYPE = "text/plain; charset=us-ascii"


class BadDataURI(AssetError):
    """It says `data:` and is no data URI."""


def is_data_uri(text: str) -> bool:
    return text[:5].lower() == "data:"


def parse_data_uri(text: str, limit: int) -> tuple[str, bytes]:
    """The media type and the bytes, at most `limit`, which is looked at before decoding.

    Base64 may have blanks and lack its padding. Raises `BadDataURI`, `TooLarge`.
    """
    head, comma, body = text[5:].partition(",")
    if not is_data_uri(text) or not comma:
        raise BadDataURI("a data URI is data:[TYPE][;base64],DATA")
    media_type, marker = head, ""
    if head.lower().rstrip().endswith(";base64"):
        media_type, _, marker = head.rpartition(";")
    size = len(body) - 2 * body.count("%")
    if (size * 3 // 4 - 2 if marker else size) > limit + _blanks(body):
        raise _too_large(limit)
    try:
        data = unquote_to_bytes(body.encode("ascii"))
        if marker:
            data = data.translate(None, b" \t\r\n\f")
            data = base64.b64decode(data.rstrip(b"=") + b"=" * (-len(data.rstrip(b"=")) % 4), validate=True)
    except UnicodeEncodeError:
        raise BadDataURI("a data URI has ASCII characters only") from None
    except binascii.Error as e:
        raise BadDataURI(f"its base64 is damaged: {e}") from None
    if len(data) > limit:
        raise _too_large(limit)
    return media_type.strip() or DEFAULT_TYPE, data


def _blanks(body: str) -> int:
    return sum(map(body.count, " \t\r\n\f"))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"more than the {limit} bytes that are allowed")
