"""What `replay` does, from its flags to what is printed and drawn."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import typer
from rich.table import Table

from eapg_split.cli.files import make_folder, write_text
from eapg_split.cli.replaying.summary import Line, lines_of, summary
from eapg_split.cli.run_log.recorded import read_recorded
from eapg_split.cli.tables import console
from eapg_split.cli.text import duration, printable, size
from eapg_split.errors import InvalidRequest
from eapg_split.planner import absolute, is_code, is_path, resolve
from simulations.recorded import RecordedRun
from simulations.replaying import Replay, replay

MOST_LOGS = 1000
_WIDE = 150


@dataclass(frozen=True)
class ReplayOptions:
    """What the flags say."""

    logs: tuple[Path, ...]
    policies: tuple[str, ...]
    seeds: int
    out: Path | None
    picture: Path | None
    as_json: bool


def show_replay(options: ReplayOptions) -> None:
    """Blocks until everything is printed and drawn. Raises an EapgError."""
    _check(options)
    runs = [read_recorded(path) for path in options.logs]
    replays = [_replayed(run, number, options) for number, run in enumerate(runs)]
    document = json.dumps(summary(replays), indent=1, allow_nan=False)
    if options.out is not None:
        write_text(options.out / "summary.json", document + "\n")
    if options.picture is not None:
        from eapg_split.cli.replaying.picture import replay_picture

        write_text(options.picture, replay_picture(replays[0]))
    if options.as_json:
        typer.echo(document)
        return
    for each in replays:
        _print(each)
    if len(replays) > 1:
        typer.echo(_together(replays))
    if options.picture is not None:
        typer.echo(str(options.picture))


def _check(options: ReplayOptions) -> None:
    """What can be known to be wrong before anything is run."""
    if len(options.logs) > MOST_LOGS:
        raise InvalidRequest(f"These are more than {MOST_LOGS} logs: name fewer.")
    for name in options.policies:
        resolve(name)
    if options.picture is not None:
        from eapg_split.cli.report_page.figure import check_plots

        check_plots("The picture")
        if len(options.logs) > 1:
            raise InvalidRequest("--picture draws one run: name one log, or leave it out.")
    if options.out is not None:
        make_folder(options.out)


def _replayed(run: RecordedRun, number: int, options: ReplayOptions) -> Replay:
    trusted = {absolute(name) for name in options.policies}
    if is_code(run.policy) and absolute(run.policy) not in trusted:  # a log may be a stranger's
        raise InvalidRequest(
            f"{run.name} ran under {run.policy!r}, which is code: name it with --policy as well, if you trust it."
        )
    try:
        resolve(run.policy)
    except InvalidRequest as error:
        raise InvalidRequest(
            f"{run.name} ran under the policy {run.policy!r}, which cannot be had here ({error.message.rstrip('.')}):"
            " replay it where that can be loaded, for only it shows how true the replay is."
        ) from error
    others = [name for name in options.policies if absolute(name) != absolute(run.policy)]
    names = dict.fromkeys((run.policy, *others))
    with ExitStack() as files:

        def keep(policy: str, seed: int) -> Callable[[str], object]:
            assert options.out is not None
            stem = Path(policy).stem if is_path(policy) else policy
            plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem)
            path = options.out / f"{number}-{list(names).index(policy)}-{plain}-{seed}.jsonl"
            return files.enter_context(path.open("w", encoding="utf-8")).write

        seeds = range(1, options.seeds + 1)
        return replay(run, names, seeds, keep if options.out is not None else None)


def _print(found: Replay) -> None:
    """One table, and below it what the log does not show."""
    run = found.run
    table = Table(title=printable(f"{run.name}: {_clip(run)}"))
    for name, right in (
        ("", False), ("seconds", True), ("against it", True), ("sent", True), ("device", True), ("money", True),
        ("switches", True), ("who computed", False),
    ):  # fmt: skip
        table.add_column(name, justify="right" if right else "left", no_wrap=right)
    for line in lines_of(found):
        table.add_row(*_cells(line))
    console(_WIDE).print(table)
    for note in found.notes:
        typer.echo(printable(note))


def _cells(line: Line) -> Iterable[str]:
    spread = f" ± {line.half_s:.2g}" if line.half_s else ""
    yield printable(line.name)
    yield f"{line.seconds:.2f}{spread}" if line.done else f"{line.ends}"
    yield "" if line.off is None else f"{100 * line.off:+.1f} %"
    yield size(round(line.sent_bytes))
    yield f"{line.energy_j:.3g} J"
    yield f"{line.money:.3g}" if line.money else "-"
    yield f"{line.switches:.2g}"
    yield printable(line.placed)


def _clip(run: RecordedRun) -> str:
    request, objective = run.request, run.objective
    words = f"{request.width}x{request.height}, {request.seconds:g} s at {request.fps} FPS, codec {objective.codec}"
    return (
        f"{words}, privacy {objective.privacy}, {objective.goal}, by {run.policy} in {duration(run.wall_s)}"
    )


def _together(replays: Sequence[Replay]) -> str:
    """How true all of them are, in one sentence, and what each policy would have made of all."""
    lines = [line for each in replays for line in lines_of(each)]
    own = [abs(line.off) for line in lines if line.off is not None and line.same]
    words = [
        f"Over {len(replays)} runs the policy that ran was replayed within {100 * median(own):.1f} % in the median,"
        f" {100 * max(own):.1f} % at most."
        if own
        else "No replay under the policy that ran came to its end."
    ]
    for name in dict.fromkeys(line.name for line in lines if line.off is not None and not line.same):
        off = [line.off for line in lines if line.name == name and line.off is not None]
        words.append(f"{name}: {100 * median(off):+.1f} % in the median ({len(off)} runs).")
    return "\n".join(words)
