"""Push a T-shaped block to a pose, seen from above."""
