"""Run ComfyUI's main.py, the first argument, with the others; its standard output is written line by line.

ComfyUI wraps its output in a buffer that has no end of a line if there is no terminal: what node packs print would come
late, and be lost when ComfyUI is stopped.
"""

import io
import os
import sys

sys.path[0] = os.path.dirname(sys.argv[1])  # noqa: PTH120  as Python does for a script
del sys.argv[0]

import runpy  # noqa: E402  after the path, or it could be found in this folder

if isinstance(sys.stdout, io.TextIOWrapper):
    sys.stdout.reconfigure(line_buffering=True)
runpy.run_path(sys.argv[0], run_name="__main__")
