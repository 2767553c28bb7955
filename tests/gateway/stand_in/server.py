"""In ComfyUI's file of this name is whether a prompt may have "partial_execution_targets"; in `main.py` it may."""
