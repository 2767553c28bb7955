"""Ask CivitAI's API for the files of a model version, with their hashes.

Documented at developer.civitai.com: `GET /api/v1/model-versions/ID`, and `…/by-hash/SHA256`; its `sizeKB` is rounded,
so sizes are not used.
"""

from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ValidationError

from pycomfy.adapters.io.http_client import Client, Refusal
from pycomfy.adapters.models.hubs import HubFile, request, unexpected_answer
from pycomfy.core.lockfile.schema import CivitaiModel
from pycomfy.core.models.model_url import CivitaiVersion, Hubs, strip_secrets
from pycomfy.errors import NotFound


class _Hashes(BaseModel):
    SHA256: str | None = None


class _File(BaseModel):
    name: str = ""
    type: str = ""
    metadata: dict[str, object] = {}
    primary: bool = False
    hashes: _Hashes = _Hashes()
    downloadUrl: str = ""  # noqa: N815  (the API's name)

    @property
    def sha256(self) -> str:
        return (self.hashes.SHA256 or "").lower()

    @property
    def query(self) -> str:
        return urlsplit(strip_secrets(self.downloadUrl)).query


class _Version(BaseModel):
    id: int = 0
    files: list[_File] = []


def find_file(client: Client, hubs: Hubs, origin: CivitaiVersion, name: str, sha256: str | None) -> HubFile:
    """Return the version's file with that hash, else the one that the query of the address selects, else the one called
    `name`, else the primary one. Raises `NetworkError`, or `NotFound` if there is none, or none with a SHA-256."""
    url = f"{hubs.civitai}/api/v1/model-versions/{origin.version}"
    try:
        version = _Version.model_validate_json(request(client, hubs, url))
    except ValidationError as e:
        raise unexpected_answer(url, e) from e
    file = _choose(version.files, origin, name, sha256)
    if file is None or len(file.sha256) != 64:
        what = "has no such file" if file is None else "has no SHA-256 of the file"
        raise NotFound(f"CivitAI's version {origin.version} {what}", where=url, fix="give another address")
    try:
        source = CivitaiModel(version=origin.version, query=file.query)
    except ValidationError as e:
        raise unexpected_answer(url, e) from e
    return HubFile(source, file.sha256)


def find_by_hash(client: Client, hubs: Hubs, sha256: str) -> HubFile | None:
    """Return the file with this hash, None if CivitAI has none. Raises `NetworkError`."""
    url = f"{hubs.civitai}/api/v1/model-versions/by-hash/{sha256.upper()}"
    try:
        version = _Version.model_validate_json(request(client, hubs, url))
        same = [file for file in version.files if file.sha256 == sha256]
        return HubFile(CivitaiModel(version=version.id, query=same[0].query), sha256) if same else None
    except Refusal as e:
        if e.status in (404, 410):
            return None
        raise
    except ValidationError as e:
        raise unexpected_answer(url, e) from e


def _choose(files: list[_File], origin: CivitaiVersion, name: str, sha256: str | None) -> _File | None:
    if sha256 is not None and (same := [f for f in files if f.sha256 == sha256]):
        return same[0]
    selected = {k: v for k, v in parse_qsl(origin.query) if k in ("type", "format", "size", "fp")}
    if selected:
        return _primary([f for f in files if selected.items() <= {**f.metadata, "type": f.type}.items()])
    named = [f for f in files if f.name.lower() == name.rsplit("/", 1)[-1].lower()]
    return named[0] if named else _primary(files)


def _primary(files: list[_File]) -> _File | None:
    return next((f for f in files if f.primary), files[0] if len(files) == 1 else None)
