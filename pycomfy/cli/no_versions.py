"""Say that there are no versions yet, and how to make the first."""

import sys

from pycomfy.cli.fixes import with_fixes
from pycomfy.core.versions.reference import MAKE_FIRST


def print_no_versions() -> None:
    """Print it on standard error, as standard output is an empty list."""
    print(with_fixes("no versions yet", MAKE_FIRST), file=sys.stderr)
