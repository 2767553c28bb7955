"""What the studio shows of a workflow, and nothing else needs."""
