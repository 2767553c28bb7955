"""Names: of a workflow, by which a git branch, an OCI repository and a folder are called; and of node packs."""

import hashlib
import re
import unicodedata
from collections.abc import Collection

COMFYUI = "ComfyUI"
"""What ComfyUI itself is called beside node packs, of which none may have this name."""

MAX_CHARACTERS = 60


def safe_name(text: str) -> str:
    """`text` as a name that git, OCI registries and file systems accept: `a-z 0-9`, single `-`, `.` and `_` within.

    A name in another script, of which nothing would remain, becomes `workflow-` and a hash of it.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9._]+", "-", plain)
    name = re.sub(r"[-._]{2,}", "-", name).strip("-._")[:MAX_CHARACTERS].strip("-._")
    # git refuses branches that end in .lock.
    name = re.sub(r"(\.lock)+$", "-lock", name)
    if not name:
        name = "workflow-" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return name


def plain_name(text: str, most: int = 90) -> str:
    """`text` as a node pack or a file may be called (see `model.Name`), of at most `most` characters; "" if nothing of
    it remains."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).lstrip("._+-")[:most]


def unique_name(name: str, taken: Collection[str]) -> str:
    """`name`, or the first with a number behind it that is not in `taken`; upper and lower case are the same."""
    folded = {other.casefold() for other in taken}
    options = (name, *(f"{name}-{number}" for number in range(2, len(folded) + 3)))
    return next(option for option in options if option.casefold() not in folded)


def repository_name(url: str) -> str:
    """The last part of a repository's address, which its folder is called by."""
    return url.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
