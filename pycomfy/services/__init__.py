"""Combine core and adapters into use cases; the command line and the server call nothing else."""
