"""Describe a bundle: one file that holds all of a version."""
