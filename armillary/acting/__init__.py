"""Acting: how an agent decides, as data that is saved with the model."""
