"""`python -m capture`: the same as the command."""

from capture.cli import main

main()
