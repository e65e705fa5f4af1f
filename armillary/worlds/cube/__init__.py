"""OGBench's robot arm with a gripper: pick a cube up and place it."""
