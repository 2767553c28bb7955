"""Make names: of workflows, for git branches, OCI repositories and folders; and of node packs."""

import hashlib
import re
import unicodedata
from collections.abc import Collection

COMFYUI = "ComfyUI"
"""The name of ComfyUI itself among node packs; no pack may have it."""

COMFY_CORE = "comfy-core"
"""ComfyUI itself in answers about node types; also its id in the Comfy registry."""

MAX_CHARACTERS = 60


def safe_name(text: str) -> str:
    """Return `text` as a name that git, OCI registries and file systems accept: `a-z 0-9`, single `-`, `.` and `_`
    within, at most `MAX_CHARACTERS`.

    A text with none of these letters, such as one in another script, becomes `workflow-` and a hash of it.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9._]+", "-", plain)
    name = re.sub(r"[-._]{2,}", "-", name).strip("-._")[:MAX_CHARACTERS].strip("-._")
    # git refuses branches that end in .lock.
    name = re.sub(r"(\.lock)+$", "-lock", name)
    if not name:
        name = "workflow-" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return name


def plain_name(text: str, limit: int = 90) -> str:
    """Return `text` as a name for a node pack or a file (see `schema.Name`), of at most `limit` characters; "" if
    nothing of it remains."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).lstrip("._+-")[:limit]


def unique_name(name: str, taken: Collection[str]) -> str:
    """Return `name`, or `name-2`, `name-3` …, whichever is not in `taken` first, ignoring case."""
    folded = {other.casefold() for other in taken}
    options = (name, *(f"{name}-{number}" for number in range(2, len(folded) + 3)))
    return next(option for option in options if option.casefold() not in folded)


def repository_name(url: str) -> str:
    """Return the last part of a repository's address, without `.git`: the name of its folder."""
    return url.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
