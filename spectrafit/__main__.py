"""`python -m spectrafit`: the same as the command `spectrafit`."""

from spectrafit.cli import main

main()
