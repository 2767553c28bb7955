"""Entry point, as a folder (`python -B /opt/pycomfy/gateway job`) or as a module (`python -m pycomfy.gateway job`)."""

import importlib
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
if not __package__:
    # Run as a folder, Python put the folder itself on the path. The folder above makes it a package, so that
    # relative imports work and no module here hides one of the standard library.
    sys.path[0] = str(here.parent)
sys.exit(importlib.import_module(f"{__package__ or here.name}.command").main())
