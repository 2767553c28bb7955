"""Files of other tools that say what an installation of ComfyUI is made of: read into a recipe, and made of one."""
