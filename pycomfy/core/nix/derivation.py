"""Read derivations, which is what Nix's evaluation makes: the steps of a build, before any of them runs."""

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

DOWNLOAD = "builtin:fetchurl"
"""The builder that is Nix itself: it fetches a URL, and runs nothing."""

_UNUSED = ("requiredSystemFeatures", "__json", "__noChroot", "__impure", "__impureHostDeps", "__contentAddressed")
# They ask Nix for more than a sandbox gives, or hide such a request in JSON; no project of pycomfy ever had one.


@dataclass(frozen=True)
class Derivation:
    """A step of a build. `outputs` are store paths. A step whose output is `fixed` by a hash has the network while it
    runs, every other one has none. `inputs` are the paths of the derivations that it needs."""

    outputs: tuple[str, ...]
    fixed: bool
    inputs: tuple[str, ...]
    builder: str
    variables: Mapping[str, str]


def parse_derivation(data: bytes) -> Derivation:
    """Read a `.drv` file, in the form ("ATerm") that every Nix since 2.0 writes. Raises `ValueError` for another one:
    so does a derivation of an experimental kind."""
    text = data.decode("latin-1")  # only ASCII matters, and anything else is let through
    if not text.startswith("Derive("):
        raise ValueError("a derivation of an unknown kind")
    try:
        # Nix escapes as Python does, and less of it: quotes, backslashes, tabs and line ends.
        outputs, inputs, _, _, builder, _, variables = ast.literal_eval(text.removeprefix("Derive"))
        return Derivation(
            tuple(path for _, path, _, _ in outputs),
            any(algorithm for _, _, algorithm, _ in outputs),
            tuple(path for path, _ in inputs),
            str(builder),
            dict(variables),
        )
    except (SyntaxError, TypeError, MemoryError, RecursionError) as e:
        raise ValueError("a malformed derivation") from e


def find_reaching_out(
    derivations: Iterable[Derivation], pinned: Collection[str], *, offline: bool = False
) -> tuple[str, ...]:
    """Return a phrase for each of the derivations that may not run: "fetch NAME, which the lock does not pin".

    `pinned` are the store paths of the lock. Only Nix itself gets the network, and only for these; if `offline`, not
    even for them.
    """
    return tuple(problem for d in derivations if (problem := _judge(d, pinned, offline)))


def _judge(derivation: Derivation, pinned: Collection[str], offline: bool) -> str:
    name = derivation.variables.get("name", "a step without a name")
    if asked := [variable for variable in _UNUSED if variable in derivation.variables]:
        return f"build {name} with more rights than a sandbox gives ({', '.join(asked)})"
    if not derivation.fixed:
        return ""
    if not set(derivation.outputs) <= set(pinned):
        return f"fetch {name}, which the lock does not pin"
    if derivation.builder != DOWNLOAD:
        return f"run a program of its own with the network, to make {name}"
    return f"fetch {name}, although nothing may be fetched" if offline else ""
