"""Run containers with Podman or Docker: load an image, start a job, take its outputs."""
