"""Moments that tests record things at."""

from datetime import UTC, datetime

NOW = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
