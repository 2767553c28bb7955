"""Graphs in ComfyUI's API format: what may run, and how values and files get into them."""
