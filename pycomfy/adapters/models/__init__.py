"""Pin models at the hubs, fetch them into the model store, and lay them out as ComfyUI expects them."""
