"""Find workflows in the files that ComfyUI saves: images, audio, video, 3D models, tensors."""
