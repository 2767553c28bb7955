"""How many examples Hypothesis tries: few while somebody develops (`dev`), the usual number in CI (`ci`).

The profile is `$HYPOTHESIS_PROFILE`; without it `ci` where `$CI` is set, else `dev`. Neither has a deadline, nor minds
that examples are made slowly: both would depend on what else the machine does.
"""

import os

from hypothesis import HealthCheck, settings

DEV = 20
CI = 100

ONE_FIXTURE = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
"""To suppress where all examples of a property may share its fixtures."""

PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")


def load_profile() -> None:
    """Register both profiles, and make one the default of every test."""
    for name, number in (("dev", DEV), ("ci", CI)):
        settings.register_profile(
            name, max_examples=number, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
        )
    settings.load_profile(PROFILE)


def examples(number: int) -> int:
    """The number of examples for a property that needs more of them than others, or takes longer: `number` in CI."""
    return number if PROFILE == "ci" else min(number, DEV)
