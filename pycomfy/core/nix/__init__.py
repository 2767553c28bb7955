"""Compute what Nix needs: store paths, cache entries, and the files of a project."""
