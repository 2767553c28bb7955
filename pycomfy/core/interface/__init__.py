"""Derive a workflow's API: which of its inputs are parameters, and what it returns."""
