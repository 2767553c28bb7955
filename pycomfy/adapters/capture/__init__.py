"""Read a ComfyUI that somebody installed, without starting or changing anything of it."""
