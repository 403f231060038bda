"""`python -m orchestration.cli`, the same as `evalwatt`."""

from orchestration.cli import main

main()
