from datetime import UTC, datetime

import pytest

from pycomfy.core.workflow.dating import RELEASES, latest_date
from pycomfy.core.workflow.model import Workflow


@pytest.mark.parametrize(
    ("version", "latest"),
    [
        ("1.23.4", datetime(2026, 7, 10, tzinfo=UTC)),  # a year after 1.24
        ("1.33.0", datetime(2026, 11, 26, tzinfo=UTC)),
        ("1.3.9", None),
        ("999.0.0", None),
        ("newest", None),
        (None, None),
        (12, None),
    ],
)
def test_the_editors_version_says_when_a_file_was_made_at_the_latest(version: object, latest: datetime | None) -> None:
    assert latest_date(Workflow("ui-1", extra={"frontendVersion": version})) == latest


def test_the_releases_are_in_order() -> None:
    assert list(RELEASES) == sorted(RELEASES) and list(RELEASES.values()) == sorted(RELEASES.values())
