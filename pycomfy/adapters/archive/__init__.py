"""Keep every source of every version in a Nix binary cache."""
