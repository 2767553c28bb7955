"""Say when a workflow was made at the latest, as far as the file itself tells."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pycomfy.core.workflow.model import Workflow

IN_USE = timedelta(days=365)
"""How long people may go on with a version of the editor."""

# fmt: off
RELEASES: Mapping[tuple[int, int], str] = {
    (1, 12): "2025-03-08", (1, 14): "2025-03-17", (1, 16): "2025-04-07", (1, 18): "2025-04-24", (1, 20): "2025-05-14",
    (1, 22): "2025-06-03", (1, 23): "2025-06-18", (1, 24): "2025-07-10", (1, 25): "2025-07-24", (1, 26): "2025-08-07",
    (1, 27): "2025-09-04", (1, 28): "2025-09-18", (1, 30): "2025-10-17", (1, 32): "2025-10-31", (1, 34): "2025-11-26",
    (1, 36): "2025-12-14", (1, 38): "2026-01-13", (1, 40): "2026-02-11", (1, 42): "2026-03-12", (1, 44): "2026-05-23",
    (1, 46): "2026-07-06", (1, 48): "2026-08-05", (1, 50): "2026-08-17", (1, 52): "2026-09-05", (1, 54): "2026-09-21",
    (1, 57): "2026-10-20", (1, 58): "2026-10-26",
}
# fmt: on
"""When versions of ComfyUI's editor came out, by their uploads to PyPI."""


def latest_date(workflow: Workflow) -> datetime | None:
    """Return when the workflow was saved at the latest: a year after the next version of its editor came out. None if
    the file does not name its editor, or one that is newer or older than all that are known."""
    found = re.match(r"(\d{1,3})\.(\d{1,3})\.\d", str(workflow.extra.get("frontendVersion") or ""))
    if found is None or (int(found[1]), int(found[2])) < min(RELEASES):
        return None
    later = [date for version, date in sorted(RELEASES.items()) if version > (int(found[1]), int(found[2]))]
    return datetime.fromisoformat(later[0]).replace(tzinfo=UTC) + IN_USE if later else None
