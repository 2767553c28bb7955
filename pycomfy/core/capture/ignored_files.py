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
    r"""(?ix)
    # A name that tells, and a value. Nothing here is repeated without a bound beside what it may overlap with.
      ( (api|access|account|app|auth|client|private|secret|subscription)[_-]?key | token(?!iz) | secret | credential )
        [\w.-]{0,40} ["']? \s* [:=] \s* ["']? [^\s"'{}\[\],]{8,}
    | ( passw(or)?d | passphrase | pwd ) [\w.-]{0,40} ["']? \s* [:=] \s* (?!null|none|true|false)
        ["']? [^\s"'{}\[\],]{3,}
    | authorization ["']? \s* [:=] \s* ["']? (\w{1,20}[ ])? [^\s"'{}\[\],]{8,}
    | (?<![a-z])key ["']? \s* [:=] \s* ["']? (?=[\w-]*\d)[\w-]{16,}
    # What is a secret by its form.
    | \b (sk|hf|r8|ghp|gho|github_pat|glpat|xox[bp]) [-_] [A-Za-z0-9_-]{16,}
    | \b AIza [\w-]{30} | \b AKIA [0-9A-Z]{16} | \b eyJ [\w-]{10,300} [.] eyJ
    | -----BEGIN[ ] [A-Z ]{0,40} PRIVATE[ ]KEY
    | :// [^\s/:@"']{0,100} : [^\s/:@"']{1,100} @
    """
)


def is_settings(path: str, size: int) -> bool:
    """Whether an ignored file may be a setting: by its name, its size in bytes, and the folders that it is in."""
    *folders, name = path.lower().split("/")
    if not 0 < size <= MAX_SETTINGS or not _SETTINGS.search(name):
        return False
    return not any(folder.startswith((".", "__")) or folder in _NOT_CODE for folder in folders)


def may_be_secret(path: str, text: str) -> bool:
    """Whether a file's name or text looks like a key, a password or the like."""
    text = text.replace("\0", "")  # of UTF-16
    return bool(_SECRET_NAME.search(path.rpartition("/")[2]) or _SECRET.search(text))
