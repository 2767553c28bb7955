"""A ComfyUI of our own: asked, listened to, and watched."""
