"""Python packages: what an index has, what uv resolves, what a wheel is built from, and environments of them."""
