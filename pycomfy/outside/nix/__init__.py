"""Nix: its store, and building with live progress. Works with Nix 2.8 and newer."""
