"""Who may use a server that several people share, and for what."""
