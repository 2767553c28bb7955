"""The prompt: what the browser would send to `/prompt` for a workflow, made without a browser."""
