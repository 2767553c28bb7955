"""ComfyUI's own editor, in a browser beside an image."""
