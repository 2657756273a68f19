"""What `emulate` does, from its flags to its files: every policy and seed, one after the other."""

import asyncio
import json
import math
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from eapg_split.cli.emulated.results import PolicyRuns, document, show
from eapg_split.cli.files import make_folder, write_text
from eapg_split.cli.run import until_terminated
from eapg_split.emulation import emulating
from eapg_split.emulation.bounds import emulatable
from eapg_split.emulation.daemons import PACED
from eapg_split.emulation.networks import NetworkKind
from eapg_split.engines import KINDS
from eapg_split.errors import InvalidRequest
from eapg_split.planner import resolve
from simulations.building import build
from simulations.results import figures
from simulations.scenario import Scenario
from simulations.simulation import Run, Setup, simulate


@dataclass(frozen=True)
class EmulateOptions:
    """What the flags say."""

    policies: tuple[str, ...]
    seeds: int
    jobs: int | None
    until_s: float
    network: NetworkKind
    engine: str
    beside_simulation: bool
    out: Path | None
    as_json: bool


def network_named(name: str) -> NetworkKind:
    """Raises InvalidRequest."""
    if name not in tuple(NetworkKind):
        raise InvalidRequest(f"There is no network {name!r}: choose one of {', '.join(NetworkKind)}.")
    return NetworkKind(name)


def show_emulation(scenario: Scenario, options: EmulateOptions) -> None:
    """Blocks until everything has run, is written and printed. Raises an EapgError."""
    _check(options)
    if options.out is not None:
        make_folder(options.out)
    longest = "" if math.isinf(options.until_s) else f", of {options.until_s:.0f} s at most each"
    typer.echo(f"{len(options.policies) * options.seeds} runs in real time{longest}.", err=True)
    found = list(_runs(scenario, options))
    text = json.dumps(document(scenario, found), indent=1, allow_nan=False)
    if options.out is not None:
        write_text(options.out / "summary.json", text + "\n")
    if options.as_json:
        typer.echo(text)
    else:
        show(scenario, found)


def _check(options: EmulateOptions) -> None:
    """What can be known to be wrong before a daemon is started."""
    for name in options.policies:
        resolve(name)
    if options.engine not in (PACED, *KINDS):
        known = ", ".join(KINDS)
        raise InvalidRequest(f"There is no engine {options.engine!r}: choose paced or one of {known}.")


def _runs(scenario: Scenario, options: EmulateOptions) -> Iterator[PolicyRuns]:
    for number, policy in enumerate(options.policies):
        runs = PolicyRuns(policy, [], [])
        for seed in range(1, options.seeds + 1):
            setup = _setup(scenario, seed, quiet=number > 0 or seed > 1)
            run = _emulated(setup, policy, seed, options)
            runs.emulated.append(figures(run))
            if options.out is not None:
                _keep(run, options.out / f"{number}-{Path(policy).stem}-{seed}.jsonl")
            if options.beside_simulation:
                made = (policy, partial(resolve, policy))
                beside = simulate(setup, made, seed=seed, until_s=options.until_s, jobs=options.jobs)
                runs.simulated.append(figures(beside))
        yield runs


def _setup(scenario: Scenario, seed: int, *, quiet: bool) -> Setup:
    """What is emulated; says once what of the scenario is left out. Raises InvalidRequest and Unsupported."""
    setup, notes = emulatable(build(scenario, seed))
    for note in () if quiet else notes:
        typer.echo(note, err=True)
    return setup


def _emulated(setup: Setup, policy: str, seed: int, options: EmulateOptions) -> Run:
    start = partial(
        emulating.emulate,
        setup,
        policy,
        seed=seed,
        until_s=options.until_s,
        jobs=options.jobs,
        network=options.network,
        engine=options.engine,
    )
    return _watched(start, f"{policy}, seed {seed}")


def _watched(start: Callable[..., Coroutine[object, object, Run]], label: str) -> Run:
    """One emulation; a terminal shows how far it is."""
    shown = sys.stderr.isatty()

    def notify(progress: emulating.Progress) -> None:
        if shown:
            words = f"{label}: {progress.now_s:.0f} s, {progress.ended} of {progress.came} jobs that came are over"
            typer.echo(f"\r{words:<100}", err=True, nl=False)

    try:
        return asyncio.run(until_terminated(start(notify=notify)))
    finally:
        if shown:
            typer.echo(err=True)


def _keep(run: Run, path: Path) -> None:
    lines = (json.dumps({"job": job.job, **job.as_line()}) for job in run.outcomes)
    write_text(path, "".join(f"{line}\n" for line in lines))
