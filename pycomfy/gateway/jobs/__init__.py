"""Jobs: what they are, where they are kept, and how they are run."""
