"""The exit statuses of the command line, which are documented and stay."""

import signal

USER_ERROR = 1
"""An error that the user can fix."""

USAGE_ERROR = 2
"""A command or an option that does not exist, or does not fit the others."""

CHECK_FAILED = 3
"""The command did its work, and what it checked is not as it should be, or not equal."""

OUR_BUG = 70

SIGNALLED = 128
"""And the signal's number."""

INTERRUPTED = SIGNALLED + signal.SIGINT
