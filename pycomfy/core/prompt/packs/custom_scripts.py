"""ComfyUI-Custom-Scripts (pysssss): nodes that show results, and nodes of the editor alone."""

from pycomfy.core.prompt.packs.rules import PackRules

RULES = PackRules(shown={"ShowText|pysssss": frozenset("*")})
