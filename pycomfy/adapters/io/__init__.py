"""Reach files, processes, the network and threads."""
