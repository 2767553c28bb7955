"""Look at everything that pycomfy works with, and say what is wrong and what fixes it. Changes nothing."""
