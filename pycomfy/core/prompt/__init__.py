"""Convert a workflow to the prompt that ComfyUI's editor would send, without a browser."""
