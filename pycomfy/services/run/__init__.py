"""Run one job in a version's image."""
