"""Fuzz what comes from outside: `python -m tests.fuzz`, or `make fuzz`.

`targets/` has one function for each boundary, `mutation` makes hostile inputs of its seeds, `check` says whether one
of them does harm, and `faults/` keeps those that once did, which `test_fuzz.py` replays.
"""
