"""Collect what a workflow requires: node types and their providers, models, input files."""
