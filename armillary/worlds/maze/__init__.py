"""A maze seen from above: find the way in a layout that was never seen."""
