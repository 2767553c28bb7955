"""Collect Python requirements, select wheels, and describe wheel builds."""
