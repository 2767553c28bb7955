"""Keep the catalog of node packs, ask the Comfy registry, and find the commit of a pack that a workflow needs."""
