"""What of a scenario real daemons can do: which are too large, and what is left out."""

from dataclasses import replace
from typing import Final

from eapg_split.domain.topology import Tier
from eapg_split.eapg.workload import unroll
from eapg_split.errors import InvalidRequest, Unsupported
from eapg_split.rpc.callers import check_name
from simulations.simulation import Setup

MAX_NODES: Final = 12


def emulatable(setup: Setup) -> tuple[Setup, tuple[str, ...]]:
    """The setup as daemons can run it, with a sentence for each thing that they do otherwise than it says.

    Raises InvalidRequest where it is too large, and Unsupported for what no daemon does.
    """
    layout = setup.layout
    if len(layout.nodes) > MAX_NODES:
        raise InvalidRequest(
            f"This scenario has {len(layout.nodes)} nodes, and one machine emulates at most {MAX_NODES}: use fewer, or"
            " 'simulate'."
        )
    for spec in layout.nodes:
        check_name(spec.id)  # it stands in names of files and in flags
    for demand, _ in setup.demands:
        if unroll(demand.workload.request).stages != demand.workload.stages:
            raise Unsupported(
                f"The workload {demand.name!r} is no video: only those can be emulated; use 'simulate'."
            )
    devices = {spec.id for spec in layout.nodes if spec.tier is Tier.DEVICE}
    struck = next((fault.node for fault in setup.faults if fault.node in devices), None)
    if struck is not None:
        raise Unsupported(
            f"A fault of the device {struck} cannot be emulated: its daemon goes on with its jobs when it is back."
            " Take the fault out, or use 'simulate'."
        )
    nodes, notes = [], []
    for spec in layout.nodes:
        if spec.engines > 1 or spec.batch > 1:
            notes.append(
                f"{spec.id} computes one step at a time, as a daemon does, not {spec.engines * spec.batch}."
            )
        nodes.append(replace(spec, engines=1, batch=1))
    return replace(setup, layout=replace(layout, nodes=tuple(nodes))), tuple(notes)
