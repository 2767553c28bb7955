"""Tests of pycomfy; what an assertion in tests/support compared is shown, as in the tests."""

import sys

# Programs of tests/support that a test starts need no pytest, whose import takes longer than they do.
if "pytest" in sys.modules:
    import pytest

    pytest.register_assert_rewrite("tests.support")
