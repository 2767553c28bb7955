"""Build a workflow each time that its files change, with ComfyUI's editor open on the result."""
