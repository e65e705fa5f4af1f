"""The control suite: every world, method and training seed, from a new recording to published tables."""
