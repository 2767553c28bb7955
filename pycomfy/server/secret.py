"""Compare secrets."""

import hmac


def is_equal(given: str, secret: str) -> bool:
    """Compare without telling by the time it takes how much is right."""
    return bool(given) and hmac.compare_digest(given.encode(errors="replace"), secret.encode())
