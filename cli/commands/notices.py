"""The group `notices`."""

import typer

from ..options import Json, NoticeFile

__all__ = ["app"]

app = typer.Typer(help="Work with notices: who is told of breakers, and how.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Without it a group of one verb would be that verb."""


@app.command("test")
def try_(*, notices: NoticeFile = None, as_json: Json = False) -> None:
    """Send a test message to every destination, once, and say what became of each."""
    from .. import notices as verb

    raise typer.Exit(verb.test(notices, as_json=as_json))
