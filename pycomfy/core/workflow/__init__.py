"""Parse a workflow: bytes in any of ComfyUI's formats become one `Workflow`."""
