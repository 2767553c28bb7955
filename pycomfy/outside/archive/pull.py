"""One store path from another store into the archive: fetched beside it, checked by its hash, and then moved in."""

from pycomfy.errors import HashMismatch, NotFound
from pycomfy.flow.archive.narinfo import LIMIT, narinfo_name
from pycomfy.flow.archive.storepath import FixedOutput
from pycomfy.outside.archive.archive import Archive
from pycomfy.outside.archive.nar import read_digest
from pycomfy.outside.network import public
from pycomfy.outside.nix.caches import copy_between
from pycomfy.outside.nix.settings import NixSettings


def pull_path(settings: NixSettings, url: str, archive: Archive, output: FixedOutput) -> None:
    """Raises `NotFound` if the store at `url` lacks it, `HashMismatch` if it has something else under its name."""
    with archive.workplace() as folder:
        copy_between(settings, url, f"file://{folder}?compression=none", [output.path])
        try:
            with (folder / narinfo_name(output.path)).open("rb") as f:
                text = f.read(LIMIT + 1).decode("ascii", "replace")
        except FileNotFoundError as e:
            raise NotFound(f"{output.name} is not there", where=public(url), fix="use an archive that has it") from e
        nar = next((folder / "nar").iterdir(), None) if "Compression: none" in text else None
        digest = None if nar is None else read_digest(nar, lambda amount: None)
        if nar is None or digest is None or not digest.holds(output):
            fix = "do not trust that archive, or ask its owner to run `pycomfy archive verify`"
            raise HashMismatch(f"{output.name} is not what the lock says", where=public(url), fix=fix)
        with archive.lock():
            archive.adopt(output, nar, digest)
