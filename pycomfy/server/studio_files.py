"""Serve the studio's page, which `make setup` builds of `web/`."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from pycomfy.errors import MissingTool

FOLDER = Path(__file__).parent / "static" / "studio"

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_NEVER = {"cache-control": "no-cache"}


def check_studio(folder: Path = FOLDER) -> None:
    """Raise `MissingTool` where the page was not built."""
    if not (folder / "index.html").is_file():
        what = "the studio's page was not built"
        raise MissingTool(what, where=str(folder), fix="run `make setup` in the checkout, or install the wheel")


def add_studio(app: FastAPI, folder: Path = FOLDER) -> None:
    """Serve the files of the page; every other path is the page itself, which knows its own routes."""
    root = folder.resolve()

    @app.get("/{path:path}", include_in_schema=False)
    def page(path: str) -> Response:
        file = (root / path).resolve() if path else root / "index.html"
        if not file.is_relative_to(root) or not file.is_file():
            if path.startswith(("api/", "assets/")):
                raise HTTPException(404, "there is nothing here")
            file = root / "index.html"
        if not file.is_file():
            raise HTTPException(404, "the studio's page was not built: run `make setup`")
        headers = _FOR_EVER if path.startswith("assets/") else _NEVER
        return FileResponse(file, media_type=_TYPES.get(file.suffix, "application/octet-stream"), headers=headers)
