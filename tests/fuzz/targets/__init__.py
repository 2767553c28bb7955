"""List the targets. A new one is a function and a line in its module's `TARGETS`."""

from tests.fuzz.target import Target
from tests.fuzz.targets import code, containers, foreign, indexes, projects, records, workflows

_MODULES = (workflows, projects, indexes, code, foreign, containers, records)

TARGETS: dict[str, Target] = {t.name: t for module in _MODULES for t in module.TARGETS}
