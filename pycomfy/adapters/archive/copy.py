"""Copy a store path from another Nix store into the archive: fetch it beside, check its hash, and move it in."""

from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.io.http_client import without_login
from pycomfy.adapters.nix.binary_cache import copy_between
from pycomfy.adapters.nix.nar_reader import read_digest
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.nix.narinfo import MAX_NARINFO_BYTES, narinfo_name
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.errors import HashMismatch, NotFound


def pull_path(settings: NixSettings, url: str, archive: Archive, output: FixedOutput) -> None:
    """Copy `output` from the Nix store at `url`. Raises `NotFound` if that lacks it, `HashMismatch` if it has something
    else under its name."""
    with archive.workplace() as folder:
        copy_between(settings, url, f"file://{folder}?compression=none", [output.path])
        try:
            with (folder / narinfo_name(output.path)).open("rb") as f:
                text = f.read(MAX_NARINFO_BYTES + 1).decode("ascii", "replace")
        except FileNotFoundError as e:
            raise NotFound(
                f"{output.name} is not there", where=without_login(url), fix="use an archive that has it"
            ) from e
        nar = next((folder / "nar").iterdir(), None) if "Compression: none" in text else None
        digest = None if nar is None else read_digest(nar, lambda amount: None)
        if nar is None or digest is None or not digest.matches(output):
            fix = "do not trust that archive, or ask its owner to verify it"
            raise HashMismatch(f"{output.name} is not what the lock says", where=without_login(url), fix=fix)
        with archive.lock():
            archive.adopt(output, nar, digest)
