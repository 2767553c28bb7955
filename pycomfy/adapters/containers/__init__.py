"""Run containers with Podman or Docker: load an image, run a job, save its outputs."""
