"""Which node packs there are: the catalogue on this machine, what it is made of, and the Comfy registry."""
