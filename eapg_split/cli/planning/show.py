"""What `plan` does, from its flags to what is printed and drawn."""

from pathlib import Path

import typer

from eapg_split.cli.files import write_text
from eapg_split.cli.flags import check_engine, check_quality
from eapg_split.cli.planning.document import document
from eapg_split.cli.planning.made import PlanOptions, make
from eapg_split.cli.planning.words import words
from eapg_split.cli.report_page.figure import check_plots
from eapg_split.codecs import codec_named
from eapg_split.errors import InvalidRequest


def show_plan(options: PlanOptions) -> None:
    """Blocks until everything is printed and drawn. Raises an EapgError."""
    _check(options)
    made = make(options)
    pictures = dict[Path, str]()
    if options.who is not None:
        from eapg_split.cli.planning.sweep_picture import sweep_picture

        pictures[options.who] = sweep_picture(made)
    if options.front is not None:
        from eapg_split.cli.planning.front_picture import front_picture

        pictures[options.front] = front_picture(made)
    for path, picture in pictures.items():
        write_text(path, picture)
    if options.as_json:
        typer.echo(document(made, options))
        return
    typer.echo(words(made, explain=options.explain))
    for path in pictures:
        typer.echo(str(path))


def _check(options: PlanOptions) -> None:
    """What can be known to be wrong before a daemon is started."""
    codec_named(options.codec)
    check_quality(options.quality_db)
    check_engine(options.engine)
    pictures = [path for path in (options.who, options.front) if path is not None]
    for path in pictures:
        if path.suffix.lower() != ".svg":
            raise InvalidRequest(
                f"A picture of a plan is SVG: call it for instance {path.stem or 'plan'}.svg."
            )
    if len(pictures) == 2 and pictures[0].resolve() == pictures[1].resolve():
        raise InvalidRequest("-o and --pareto name the same file: choose two.")
    if pictures:
        check_plots("A picture of a plan")
