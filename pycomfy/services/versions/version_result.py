"""Say which version a result is about."""

from pycomfy.core.versions.reference import format_label
from pycomfy.services.results import Result


class VersionResult(Result):
    """`version` is the number along the branch; None for a version that came in by a merge: its commit or a tag names
    it, and the log does not list it."""

    name: str
    version: int | None
    commit: str

    @property
    def label(self) -> str:
        """`NAME@3`, or `NAME@` and the commit's first digits."""
        return format_label(self.name, self.version, self.commit)
