"""Workflows of our own, of real nodes, for what no official template has."""
