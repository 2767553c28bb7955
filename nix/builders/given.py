"""Says how to get what nobody can fetch and is too large to travel in the project; the output is fixed by its hash, so
this runs only where neither the store nor a cache has it.

The specification: `{"name", "origin", "flat"}`.
"""

import sys

from derivation import output, specification


def main() -> None:
    spec = specification()
    name, path = spec["name"], output()
    method = "" if spec["flat"] else "--recursive "
    sys.exit(
        f"pycomfy: {name} is missing: {spec['origin']}.\n"
        "It is not in this Nix store, nor in a binary cache that Nix asked (`substituters` in nix.conf), and too\n"
        "large to travel in the project, in sources/. Copy it from an archive of pycomfy's that has it:\n"
        "  nix --extra-experimental-features nix-command copy --no-check-sigs --from file:///ARCHIVE \\\n"
        f"    {path}\n"
        f"or add a copy of your own, which must be called {name}:\n"
        f"  nix-store --add-fixed {method}sha256 {name}"
    )


if __name__ == "__main__":
    main()
