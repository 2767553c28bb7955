"""Keep versions in a bare git repository: a branch for each workflow, a commit for each version."""
