"""A box seen from the side, in which things fall, roll, collide and pass behind screens."""
