"""What holds for every test."""

import signal

from pycomfy.adapters.io import http_client
from tests.support import properties

# A job in the background of a shell ignores these, and so would all that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

properties.load_profile()

# Servers that fail are asked again here as everywhere, only sooner.
http_client.PAUSE = 0.001
