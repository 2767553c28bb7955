"""Pin the packages that the gateway runs with: those of this release of pycomfy, apart from the workflow's."""

from collections.abc import Mapping
from functools import partial

from pycomfy import operation
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.python.resolver import compile_exact
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, Wheel
from pycomfy.core.nix.project import Toolkit
from pycomfy.core.python.gateway_pins import FILE, GatewayPins, parse_gateway_pins
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.services.lock.python import PythonRequest, locate_wheel
from pycomfy.services.workspace import Workspace


def read_gateway_pins(toolkit: Toolkit | None = None) -> GatewayPins:
    """Return the pins of this release."""
    return parse_gateway_pins((toolkit or read_toolkit()).gateway[FILE].decode())


def pin_gateway(
    workspace: Workspace, request: PythonRequest, before: Lock | None
) -> Mapping[PlatformName, tuple[Wheel, ...]]:
    """Return the gateway's wheels for each platform: those of the earlier lock if they are the release's, else what the
    indexes have. They are exact, so the date of the workflow does not matter. Raises what `compile_exact` and
    `choose_wheels` raise, and `HashMismatch` for files that the release does not list."""
    pins = read_gateway_pins()
    python, platforms = request.config.python, request.config.platforms
    earlier = {p: parts.gateway for p, parts in before.platforms.items()} if before is not None else {}
    kept = {p: earlier[p] for p in platforms if p in earlier and pins.are_met(earlier[p], Target(p, python))}
    new = [p for p in platforms if p not in kept]
    if not new:
        return kept
    with operation.step("Resolve the gateway's packages", total=len(new)) as task:
        found = run_concurrently({p: partial(_pin, workspace, request, pins, p) for p in new}, task.advance)
    return {**kept, **{p: found[p] for p in new}}


def is_of_release(lock: Lock) -> bool:
    """Return whether all of a lock's platforms have the gateway's packages of this release."""
    pins = read_gateway_pins()
    return all(pins.are_met(parts.gateway, Target(p, lock.python)) for p, parts in lock.platforms.items())


def _pin(workspace: Workspace, request: PythonRequest, pins: GatewayPins, platform: PlatformName) -> tuple[Wheel, ...]:
    target = Target(platform, request.config.python)
    answer = compile_exact(pins.requirements, target, request.indexes, workspace.paths.cache)
    wheels = choose_wheels(pins.without_others(answer), platform, target.python)
    return tuple(locate_wheel(workspace, wheel, request) for wheel in wheels)
