"""The studio's server: the use cases over HTTP, for one person at one machine."""
