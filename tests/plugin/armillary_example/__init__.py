"""What a package can add to Armillary without a change to it."""
