"""One page that shows what was measured, and what the model imagines."""
