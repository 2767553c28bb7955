"""`comfyui`: ComfyUI itself, without the gateway, reachable from outside the container."""

import os

from .events import Failure
from .gpu import has_gpu
from .installation import prepare
from .launch import plan_command, plan_environment, write_model_paths
from .model_links import follow_models
from .places import Places


def run(places: Places) -> int:
    """Become ComfyUI: signals reach it and its exit status is the container's, without anything in between.

    Exit status 1 if the container has nothing to write to.
    """
    try:
        own = prepare(places)
    except Failure as e:
        raise SystemExit(f"comfyui: {e}") from e
    follow_models(places)
    listen = "0.0.0.0"  # noqa: S104  the container's own network; who may reach it is decided outside
    command = plan_command(own, listen=listen, cpu=not has_gpu(), model_paths=write_model_paths(own))
    os.chdir(own.comfyui)
    os.execve(command[0], command, plan_environment(own, os.environ))  # noqa: S606  no shell is the point
