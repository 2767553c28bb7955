"""What the studio shows, beside what the command line shows, too: workflows that are not built yet, and graphs."""
