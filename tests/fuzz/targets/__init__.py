"""List the targets. A new one is a function and a line in its module's `TARGETS`."""

from tests.fuzz.target import Target
from tests.fuzz.targets import code, indexes, projects, workflows

TARGETS: dict[str, Target] = {t.name: t for module in (workflows, projects, indexes, code) for t in module.TARGETS}
