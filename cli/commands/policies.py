"""The group `policies`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="Work with policy files.", no_args_is_help=True)


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")]) -> None:
    """Validate a policy file: every error with its line, or one line that it is fine."""
    from .. import policies

    raise typer.Exit(policies.check(file))
