"""Versions of a workflow: how they are named."""
