"""Read and write the files in which other tools describe an installation of ComfyUI."""
