"""The verbs that copy the data and put it back: `backup` and `restore`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Data, Json

__all__ = ["backup", "restore"]


def backup(*, collector: CollectorUrl = COLLECTOR, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Copy a running collector's data into a new folder beside it; spans are taken meanwhile.

    Example: switchgear backup, and later switchgear restore data/backups/20261124T120000.000000Z
    """
    from .. import backup as verb

    raise typer.Exit(verb.backup(collector=collector, api_key=api_key, as_json=as_json))


def restore(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that `backup` printed.")],
    *,
    data: Data = Path("data"),
    as_json: Json = False,
) -> None:
    """Put a backup in place of what is in the data folder, which is moved aside. Stop the collector before.

    What the journal holds beyond the backup is booked again at the next start.
    """
    from .. import backup as verb

    raise typer.Exit(verb.restore(source, data=data, as_json=as_json))
