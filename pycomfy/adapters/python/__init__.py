"""Resolve Python packages with uv, read package indexes and wheels, build wheels, create virtual environments."""
