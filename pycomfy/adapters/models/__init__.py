"""Pin models at the hubs, fetch them into a store by their content, show them to ComfyUI as a folder."""
