"""What `calibrate` does, from its flags to what is printed and written."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import typer
from rich.table import Table

from eapg_split.cli.files import write_text
from eapg_split.cli.replaying.show import MOST_LOGS
from eapg_split.cli.run_log.recorded import read_recorded
from eapg_split.cli.tables import console
from eapg_split.cli.text import printable
from eapg_split.errors import InvalidRequest
from simulations.calibrated import Checked, check, scenario_text
from simulations.calibration import Calibration, calibrate
from simulations.fits import LinkFit, NodeFit, Residual

_WIDE = 120


@dataclass(frozen=True)
class CalibrateOptions:
    """What the flags say."""

    logs: tuple[Path, ...]
    output: Path | None
    others: tuple[Path, ...]
    as_json: bool


def show_calibration(options: CalibrateOptions) -> None:
    """Blocks until everything is printed and written. Raises an EapgError."""
    if len(options.logs) + len(options.others) > MOST_LOGS:
        raise InvalidRequest(f"These are more than {MOST_LOGS} logs: name fewer.")
    found = calibrate([read_recorded(path) for path in options.logs])
    checked = check(found, [read_recorded(path) for path in options.others])
    if options.output is not None:
        write_text(options.output, scenario_text(found, f"Fitted to {len(found.runs)} real runs"))
    if options.as_json:
        typer.echo(json.dumps(_document(found, checked), indent=1, allow_nan=False))
        return
    shown = console(_WIDE)
    for table in (_nodes(found.nodes), _links(found.links), _residuals(found.residuals)):
        shown.print(table)
    if checked:
        shown.print(_checked(checked))
    for note in found.notes:
        typer.echo(printable(note))
    if options.output is not None:
        typer.echo(str(options.output))


def _nodes(nodes: Iterable[NodeFit]) -> Table:
    table = _table(
        "What steps cost", "node", "stage", "step s", "spread", "entry Gflop/s", "Gflop/s", "steps"
    )
    for node in nodes:
        for stage, fit in node.stages.items():
            entry = "-" if fit.entry_flops_per_s is None else f"{fit.entry_flops_per_s / 1e9:.3g}"
            table.add_row(
                printable(node.id),
                printable(stage),
                f"{fit.step_s:.4g}",
                f"{100 * fit.spread:.1f} %",
                entry,
                f"{fit.flops_per_s / 1e9:.3g}",
                str(fit.count + fit.entries),
            )
    return table


def _links(links: Iterable[LinkFit]) -> Table:
    table = _table("What links carry", "from", "to", "Mbit/s", "sigma", "stays s", "delay ms", "samples")
    for link in links:
        table.add_row(
            printable(link.ends[0]),
            printable(link.ends[1]),
            f"{link.bits_per_s / 1e6:.3g}",
            f"{link.sigma:.2f}",
            f"{link.memory_s:.2g}" if link.memory_s else "-",
            f"{1e3 * link.delay_s:.3g}",
            str(link.count),
        )
    return table


def _residuals(residuals: Iterable[Residual]) -> Table:
    table = _table("How far the runs are from that", "what", "median error", "95 % below", "observations")
    for each in residuals:
        table.add_row(
            printable(each.what), f"{100 * each.median:.1f} %", f"{100 * each.p95:.1f} %", str(each.count)
        )
    return table


def _checked(checked: Sequence[Checked]) -> Table:
    table = _table("Runs that were foretold", "log", "policy", "seconds", "foretold", "error")
    for each in checked:
        table.add_row(
            printable(each.name),
            printable(each.policy),
            f"{each.seconds:.2f}",
            f"{each.predicted_s:.2f}" if each.ended else "no end",
            f"{100 * each.error:+.1f} %" if each.ended else "-",
        )
    errors = [abs(each.error) for each in checked if each.ended]
    if errors:
        table.caption = f"median error {100 * median(errors):.1f} %, largest {100 * max(errors):.1f} %"
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, no_wrap=True)
    for name in others:
        words = name in ("stage", "to", "policy")
        table.add_column(name, justify="left" if words else "right", no_wrap=True)
    return table


def _document(found: Calibration, checked: Iterable[Checked]) -> dict[str, object]:
    """Plain values; docs/replay.md has the fields."""
    return {
        "logs": [run.name for run in found.runs],
        "nodes": {node.id: asdict(node) for node in found.nodes},
        "links": [asdict(link) for link in found.links],
        "residuals": [asdict(each) for each in found.residuals],
        "checked": [
            asdict(each)
            | {
                "predicted_s": each.predicted_s if each.ended else None,
                "error": each.error if each.ended else None,
            }
            for each in checked
        ],
        "notes": list(found.notes),
    }
