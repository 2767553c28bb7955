"""The command line. What is set here, before anything else is imported, makes every command start sooner."""

import gc
import os

# A command makes many objects and keeps most: looking for garbage after every 700, as Python does, takes a third of the
# time of a large workflow.
gc.set_threshold(200_000, 30, 30)

# Pydantic would look through all installed packages for plugins of its own.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
