"""Send files that a run saved: those that a page may show, others only to be kept."""

import mimetypes
from pathlib import Path

from fastapi.responses import FileResponse

SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "video/mp4", "video/webm")
"""Types of files that a page may show; others are only saved: they might be pages themselves."""


def send_output(file: Path) -> FileResponse:
    """Return the answer that is the file."""
    type_ = mimetypes.guess_type(file.name)[0] or ""
    headers = {"content-security-policy": "sandbox; default-src 'none'"}
    if type_ in SHOWN:
        return FileResponse(file, media_type=type_, headers=headers)
    return FileResponse(file, media_type="application/octet-stream", filename=file.name, headers=headers)
