"""Tests of `pycomfy.services.dev`."""
