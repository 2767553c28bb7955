"""What holds for every test."""

import signal

# A job in the background of a shell ignores these, and so would all that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
