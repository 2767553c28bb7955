"""A ComfyUI that somebody installed, read without starting anything of it and without changing anything in it."""
