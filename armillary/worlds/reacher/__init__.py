"""An arm of two links, driven by torques, seen from above: reach a pose."""
