"""`python -m cli`: the same command as `switchgear`."""

from .main import main

main()
