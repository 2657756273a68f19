"""Jobs a second of wall time: chains of services beside SimPy and salabim, and as the network grows."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from figures import Row, Value
from simulator_chain import three_tiers
from wire_peers import PeerError, peer_process

from simulations.chain import Chains, Floats, ends_s

SIMPY_BAR, SALABIM_BAR, AGREE_BAR, FLAT_BAR, MEMORY_BAR_GB = 4.0, 20.0, 0.02, 1.5, 4.0
_PEER_S: Final = 600.0
_SALABIM_JOBS: Final = 10_000  # it is asked for fewer: its rate falls with their number


def beside_others(*, quick: bool) -> Iterator[Row]:
    """1 000 devices, 50 000 jobs: the same arrivals and services for all."""
    chains = three_tiers(1000, 5000 if quick else 50_000, seed=1)
    jobs = len(chains.arrives_s)
    ends, seconds = _ours(chains)
    ours = jobs / seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chains.npz"
        np.savez(path, **{name: getattr(chains, name) for name in chains.__dataclass_fields__})
        for peer, bar, most in (("simpy", SIMPY_BAR, jobs), ("salabim", SALABIM_BAR, _SALABIM_JOBS)):
            count = min(jobs, most)
            label = f"3-tier chain, 1 000 devices, {count} jobs, no policy: jobs/s"
            try:
                theirs_s, theirs = _peer(peer, path, count, build=not quick)
            except PeerError as error:
                yield Row(label, round(ours), {peer: str(error)})
                continue
            times = ours * theirs_s / count
            beside: dict[str, Value] = {peer: round(count / theirs_s), "times as many": round(times, 1)}
            yield Row(label, round(ours), beside, f">= {bar:g} times {peer}'s", times >= bar)
            if peer == "simpy":
                yield _agreement(ends - chains.arrives_s, theirs - chains.arrives_s)


def scale(*, quick: bool) -> Iterator[Row]:
    """The cost of a job as the network grows, and what the largest one takes."""
    jobs = 50_000 if quick else 1_000_000  # for both: it is the network that grows
    sizes = ((1000, jobs), (10_000 if quick else 100_000, jobs))
    costs, seconds = [], 0.0
    for devices, jobs in sizes:
        _, seconds = min(
            (_ours(three_tiers(devices, jobs, seed=2)) for _ in range(2)), key=lambda run: run[1]
        )
        costs.append(seconds / jobs)
    devices, jobs = sizes[-1]
    resident_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    label = f"{devices} devices, {jobs} jobs: seconds; resident GB"
    fits = resident_gb <= MEMORY_BAR_GB
    yield Row(label, round(seconds, 1), {"GB": round(resident_gb, 2)}, f"<= {MEMORY_BAR_GB:g} GB", fits)
    growth = costs[1] / costs[0]
    label = f"cost of a job, {devices} devices over {sizes[0][0]}"
    yield Row(label, round(growth, 2), {}, f"<= {FLAT_BAR}", growth <= FLAT_BAR)


def _ours(chains: Chains) -> tuple[Floats, float]:
    began = time.perf_counter()
    ends = ends_s(chains)
    return ends, time.perf_counter() - began


def _agreement(ours: Floats, theirs: Floats) -> Row:
    """How far the quantiles of both are apart; SimPy's moments come as single precision."""
    off = max(float(abs(np.percentile(ours, q) / np.percentile(theirs, q) - 1)) for q in (50, 95))
    label = "the same chain in SimPy: p50 and p95 differ by at most"
    return Row(label, off, {}, f"<= {AGREE_BAR}", off <= AGREE_BAR)


def _peer(name: str, path: Path, jobs: int, *, build: bool) -> tuple[float, Floats]:
    print(f"  {name} runs {jobs} jobs", file=sys.stderr, flush=True)
    with peer_process(name, f"{name}_peer.py", build=build) as peer:
        answer = peer.ask("run", limit_s=_PEER_S, path=str(path), jobs=jobs)
    return float(answer.fields["seconds"]), answer.array.astype(np.float64)
