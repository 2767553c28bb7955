"""Models: pinned at the hubs, fetched into a store by their content, shown to ComfyUI as a folder."""
