"""Perform all input and output: a package for each thing outside of this process."""
