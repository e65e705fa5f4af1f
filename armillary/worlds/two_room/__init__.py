"""Two rooms and a door, seen from above: a straight line to the goal is wrong."""
