"""Ask Hugging Face's API which commit a revision is, and for the hashes of files, without fetching them.

Documented at huggingface.co/docs/hub/api: `GET /api/models/REPO/revision/REV`, `POST /api/models/REPO/paths-info/REV`.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pycomfy.adapters.io.http_client import Client
from pycomfy.adapters.models.hubs import MAX_BYTES, HubFile, request, unexpected_answer
from pycomfy.core.lockfile.lock_types import Commit, Sha256
from pycomfy.core.lockfile.schema import HuggingFaceModel
from pycomfy.core.models.model_url import Hubs, source_url
from pycomfy.errors import NetworkError, NotFound, PycomfyError


class _Revision(BaseModel):
    sha: Commit


class _Lfs(BaseModel):
    oid: Sha256
    size: int = Field(ge=0)


class _Path(BaseModel):
    type: str
    path: str
    size: int = Field(default=0, ge=0)
    lfs: _Lfs | None = None


_PATHS = TypeAdapter(list[_Path])


def find_files(
    client: Client, hubs: Hubs, repository: str, revision: str, paths: Collection[str]
) -> Mapping[str, HubFile | PycomfyError]:
    """Return each file of `paths`, or why it cannot be pinned. Raises `NetworkError` where none can."""
    kind = "" if repository.startswith(("datasets/", "spaces/")) else "models/"
    api = f"{hubs.huggingface}/api/{kind}{repository}"
    commit = revision if re.fullmatch("[0-9a-f]{40}", revision) else _commit(client, hubs, api, revision)
    url = f"{api}/paths-info/{commit}"
    try:
        listed = _PATHS.validate_json(request(client, hubs, url, {"paths": sorted(paths), "expand": False}))
    except ValidationError as e:
        raise unexpected_answer(url, e) from e
    entries = {entry.path: entry for entry in listed if entry.type == "file"}
    found: dict[str, HubFile | PycomfyError] = {}
    for path in paths:
        source = HuggingFaceModel(repository=repository, revision=commit, path=path)
        entry = entries.get(path)
        if entry is None:
            what = f"{repository} has no file {path} at {revision}"
            found[path] = NotFound(what, where=url, fix="correct its address")
        elif entry.lfs is not None:
            found[path] = HubFile(source, entry.lfs.oid, entry.lfs.size)
        else:
            found[path] = _small(client, hubs, source, entry.size)
    return found


def _commit(client: Client, hubs: Hubs, api: str, revision: str) -> str:
    url = f"{api}/revision/{quote(revision, safe='')}"
    try:
        return _Revision.model_validate_json(request(client, hubs, url)).sha
    except ValidationError as e:
        raise unexpected_answer(url, e) from e


def _small(client: Client, hubs: Hubs, source: HuggingFaceModel, size: int) -> HubFile | PycomfyError:
    """Fetch a file to hash it: one that is not in LFS is small, and the API has no SHA-256 of it."""
    if size > MAX_BYTES:
        return NetworkError(
            "the hub has no SHA-256 of the file", where=source.path, fix="give its sha256 in pycomfy.toml"
        )
    data = request(client, hubs, source_url(source, hubs))
    return HubFile(source, hashlib.sha256(data).hexdigest(), len(data))
