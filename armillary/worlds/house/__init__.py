"""An apartment seen from within, by image, depth and range scan: find the way."""
