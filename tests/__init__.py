"""Tests of pycomfy; what an assertion in tests/support compared is shown, as in the tests."""

import pytest

pytest.register_assert_rewrite("tests.support")
