"""Transform workflows, locks and versions as values: no files, no network, no clock, no environment."""
