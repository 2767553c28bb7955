"""Keep the catalog of node packs, and ask the Comfy registry."""
