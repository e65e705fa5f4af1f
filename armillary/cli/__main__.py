"""`python -m armillary.cli`, which torchrun starts."""

from armillary.cli import main

main()
