"""Workflows inside files: JSON, and the images, sounds, videos, 3D models and tensors that ComfyUI saves."""
