"""`python -m workbench` is the command `reverse-funnel`."""

from workbench.cli import main

main()
