"""Turn a ComfyUI workflow into a pinned, bit-reproducible CUDA OCI image, and keep every version restorable."""

__version__ = "0.1.0"
