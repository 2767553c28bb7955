"""The name of a workflow: a git branch, an OCI repository and a folder are called by it."""

import hashlib
import re
import unicodedata

MOST_CHARACTERS = 60


def safe_name(text: str) -> str:
    """`text` as a name that git, OCI registries and file systems accept: `a-z 0-9`, single `-`, `.` and `_` within.

    A name in another script, of which nothing would remain, becomes `workflow-` and a hash of it.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9._]+", "-", plain)
    name = re.sub(r"[-._]{2,}", "-", name).strip("-._")[:MOST_CHARACTERS].strip("-._")
    # git refuses branches that end in .lock.
    name = re.sub(r"(\.lock)+$", "-lock", name)
    if not name:
        name = "workflow-" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return name
