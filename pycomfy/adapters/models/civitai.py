"""CivitAI's API: the files of a model version with their hashes.

Documented at developer.civitai.com: `GET /api/v1/model-versions/ID`; its `sizeKB` is rounded, so sizes are not taken.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ValidationError

from pycomfy.adapters.io.http_client import Client
from pycomfy.adapters.models.hubs import ask, strange
from pycomfy.core.lockfile.schema import CivitaiModel
from pycomfy.core.models.model_url import CivitaiVersion, Hubs, strip_secrets
from pycomfy.errors import NotFound


@dataclass(frozen=True)
class Found:
    source: CivitaiModel
    sha256: str


class _Hashes(BaseModel):
    SHA256: str | None = None


class _File(BaseModel):
    name: str = ""
    type: str = ""
    metadata: dict[str, object] = {}
    primary: bool = False
    hashes: _Hashes = _Hashes()
    downloadUrl: str = ""  # noqa: N815  (as the API has it)

    @property
    def sha256(self) -> str:
        return (self.hashes.SHA256 or "").lower()

    @property
    def query(self) -> str:
        return urlsplit(strip_secrets(self.downloadUrl)).query


class _Version(BaseModel):
    files: list[_File] = []


def find_file(client: Client, hubs: Hubs, wanted: CivitaiVersion, name: str, sha256: str | None) -> Found:
    """The file of the version that has that hash, else that the address means, else that is called `name`, else the
    primary one. Raises `NetworkError`, or `NotFound` if there is none, or none with a SHA-256."""
    url = f"{hubs.civitai}/api/v1/model-versions/{wanted.version}"
    try:
        version = _Version.model_validate_json(ask(client, hubs, url))
    except ValidationError as e:
        raise strange(url, e) from e
    file = _choose(version.files, wanted, name, sha256)
    if file is None or len(file.sha256) != 64:
        what = "has no such file" if file is None else "does not tell the file's SHA-256"
        raise NotFound(f"CivitAI's version {wanted.version} {what}", where=url, fix="give another address")
    try:
        source = CivitaiModel(version=wanted.version, query=file.query)
    except ValidationError as e:
        raise strange(url, e) from e
    return Found(source, file.sha256)


def _choose(files: list[_File], wanted: CivitaiVersion, name: str, sha256: str | None) -> _File | None:
    if sha256 is not None and (same := [f for f in files if f.sha256 == sha256]):
        return same[0]
    asked = {k: v for k, v in parse_qsl(wanted.query) if k in ("type", "format", "size", "fp")}
    if asked:
        return _primary([f for f in files if asked.items() <= {**f.metadata, "type": f.type}.items()])
    called = [f for f in files if f.name.lower() == name.rsplit("/", 1)[-1].lower()]
    return called[0] if called else _primary(files)


def _primary(files: list[_File]) -> _File | None:
    return next((f for f in files if f.primary), files[0] if len(files) == 1 else None)
