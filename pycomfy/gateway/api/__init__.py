"""The HTTP API: two faces over one set of jobs."""
