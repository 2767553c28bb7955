"""`python -m pycomfy` is `pycomfy`."""

from pycomfy.cli.main import main

main()
