"""The command that measures; what it runs is imported only when it runs."""

from pathlib import Path
from typing import Annotated

import typer

Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Only this: turn, consent, pending, socket, conversation, recall, quality, memory, recovery, load.",
        show_default="all",
    ),
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the rows there too.")]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Put the throw-away data there, to measure that disk.")
]
Memories = Annotated[
    list[int] | None,
    typer.Option(metavar="COUNT", min=100, help="How many memories to recall from.", show_default="1000 and 100000"),
]
Quick = Annotated[bool, typer.Option("--quick", help="A few samples of each: it works, the numbers say little.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(rich_help_panel="Serve")(bench)


def bench(
    only: Only = None,
    json_file: JsonFile = None,
    data: Data = None,
    memories: Memories = None,
    *,
    quick: Quick = False,
) -> None:
    """Measure a product of its own, with an instant model, beside the floors of the same run (ten minutes or so)."""
    from cli.bench.run import bench as run

    run(only, json_file, data, memories, quick=quick)
