"""Comfy API v2, the official contract (Comfy-Org/docs, openapi-v2.yaml)."""
