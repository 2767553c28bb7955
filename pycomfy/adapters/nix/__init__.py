"""Call Nix: its store, its builds with live progress, its binary caches. Works with Nix 2.8 and newer."""
