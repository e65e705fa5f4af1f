"""The state vector of the two-room world, column by column."""

# All but the position are the layout, which lasts an episode.
POSITION, LAYOUT = slice(0, 2), slice(2, 18)
DOOR, AGENT_RADIUS, THICKNESS = 2, 3, 4
AGENT_RGB, WALL_RGB, FLOOR_RGB = slice(5, 8), slice(8, 11), slice(11, 14)
WAVE = slice(14, 18)  # a plane wave on the floor: amplitude (0-255), periods along x and y, phase (rad)
