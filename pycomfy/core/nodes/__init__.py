"""Resolve each node type to the node pack that provides it; nothing is guessed."""
