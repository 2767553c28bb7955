"""Choose, of the files that git ignores in a node pack, those that it works with: its settings. Secrets are none."""

import re

MAX_SETTINGS = 64 << 10
"""Bytes of a settings file."""

MAX_FILES = 40
"""Settings files of one pack."""

_SETTINGS = re.compile(r"\.(json5?|jsonc|ya?ml|toml|ini|cfg|conf|txt|csv|css)$", re.IGNORECASE)
_NOT_CODE = frozenset(
    "cache caches dist env input log logs node_modules output outputs temp tmp venv".split()  # noqa: SIM905
)
_SECRET_NAME = re.compile(
    r"token(?!iz)|secret|passw|credential|cookie|(^|[._-])env($|[._-])|(^|[^a-z])keys?($|[^a-z])", re.I
)
_SECRET = re.compile(
    r"""(?ix) ["']? [\w.-]* (api[_-]?key | access[_-]?key | token | secret | passw(or)?d | authorization) ["']?
    \s* [:=] \s* ["']? [^\s"'{}\[\],]{8,} | \b(sk|hf|ghp|gho|github_pat|glpat|xox[bp])[-_][A-Za-z0-9_-]{16,}"""
)


def is_settings(path: str, size: int) -> bool:
    """Whether an ignored file may be a setting: by its name, its size in bytes, and the folders that it is in."""
    *folders, name = path.lower().split("/")
    if not 0 < size <= MAX_SETTINGS or not _SETTINGS.search(name):
        return False
    return not any(folder.startswith((".", "__")) or folder in _NOT_CODE for folder in folders)


def may_be_secret(path: str, text: str) -> bool:
    """Whether a file's name or text looks like a key, a password or the like."""
    return bool(_SECRET_NAME.search(path.rpartition("/")[2]) or _SECRET.search(text))
