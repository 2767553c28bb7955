"""The runtime inside an image: starts ComfyUI and runs jobs in it.

Standard library only; it knows nothing of the rest of pycomfy.
"""
