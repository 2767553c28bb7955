"""Describe an installation of ComfyUI, and write the pycomfy.toml that asks for the same."""
