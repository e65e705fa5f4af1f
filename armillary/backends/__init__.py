"""Faster ways to the same: rollouts in low precision and compiled, captured decisions. Plain versions are elsewhere."""
