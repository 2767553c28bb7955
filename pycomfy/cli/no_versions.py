"""Say that there are no versions yet, and how to make the first."""

from pycomfy.cli.fixes import with_fixes
from pycomfy.cli.terminal import print_line
from pycomfy.core.versions.reference import MAKE_FIRST


def print_no_versions() -> None:
    """Print it on standard error, as standard output is an empty list."""
    print_line(with_fixes("no versions yet", MAKE_FIRST), error=True)
