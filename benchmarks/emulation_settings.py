"""The settings in which the simulator is compared with real daemons: scenarios of a minute or less."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_CLIP: Final = """
[workloads.{name}]
seconds = 2.0
width = 256
height = 144
privacy = "{privacy}"
at_s = {at_s}
{more}
"""
_NODE: Final = """
[nodes.{name}]
tier = "{tier}"
flops_per_s = {flops_per_s}
overhead_s = 0.002
slots = 4
{more}
"""
_LINK: Final = """
[[links]]
from = "{source}"
to = "{target}"
delay_ms = {delay_ms}
{rate}
"""
_GAP_S: Final = 9.0


@dataclass(frozen=True)
class Setting:
    """A scenario's text, the files beside it, and the policy that its jobs are planned by."""

    name: str
    policy: str
    text: str
    files: Mapping[str, str] = field(default_factory=dict)
    quick: bool = False


def _clips(
    count: int,
    *,
    privacy: str = "any",
    name: str = "clip",
    first_s: float = 0.0,
    gap_s: float = _GAP_S,
    more: str = "",
) -> str:
    at_s = [round(first_s + gap_s * number, 2) for number in range(count)]
    return _CLIP.format(name=name, privacy=privacy, at_s=at_s, more=more)


def _nodes(
    device: float = 3e10,
    edge: float = 1e11,
    cloud: float = 2e11,
    *,
    edge_more: str = "",
    device_more: str = "",
) -> str:
    speeds = (
        ("device", "device", device, device_more),
        ("edge", "edge", edge, edge_more),
        ("cloud", "cloud", cloud, ""),
    )
    return "".join(
        _NODE.format(name=name, tier=tier, flops_per_s=speed, more=more) for name, tier, speed, more in speeds
    )


def _links(
    rate_mbps: float,
    rtt_ms: float = 40.0,
    *,
    cloud_mbps: float = 0.0,
    cloud_rtt_ms: float = 0.0,
    first: str = "",
) -> str:
    """From the device to the edge and to the cloud, and a fast one between these two."""
    near = first or f"rate_mbps = {rate_mbps}"
    far = first or f"rate_mbps = {cloud_mbps or rate_mbps}"
    cloud_delay_ms = (cloud_rtt_ms or rtt_ms) / 2
    return (
        _LINK.format(source="device", target="edge", delay_ms=rtt_ms / 2, rate=near)
        + _LINK.format(source="device", target="cloud", delay_ms=cloud_delay_ms, rate=far)
        + _LINK.format(source="edge", target="cloud", delay_ms=10.0, rate="rate_mbps = 400")
    )


def _setting(
    name: str, policy: str, *parts: str, files: Mapping[str, str] | None = None, quick: bool = False
) -> Setting:
    """Every scenario begins with its title."""
    return Setting(name, policy, f'title = "{name}"\n' + "".join(parts), files or {}, quick)


_LOCAL: Final = "prompt-local"
_MOVING: Final = "".join(
    f"{second} {rate}\n" for second, rate in enumerate((8, 3, 1, 0.6, 2, 6, 4, 1.5, 0.8, 5))
)
_MEDIUM: Final = "\n[media.air]\nrate_mbps = 4\n"
_THROUGH: Final = 'through = ["air"]'
_TWO: Final = """
[nodes.phone]
tier = "device"
flops_per_s = 3e10
overhead_s = 0.002
count = 2
[nodes.edge]
tier = "edge"
flops_per_s = 1e11
overhead_s = 0.002
[[links]]
from = "phone"
to = "edge"
delay_ms = 15
through = ["air"]
"""
_OUTAGE: Final = '\n[[faults]]\nmedium = "air"\nat_s = {at_s}\nlasts_s = 2.5\nfactor = 0.0\n'
_DEATH: Final = '\n[[faults]]\nnode = "edge"\nat_s = {at_s}\nlasts_s = 8.0\n'
_HOT: Final = "\n[nodes.device.battery]\ncharge = 0.5\n[nodes.device.heat]\nair_c = 38\n"

SETTINGS: Final = (
    _setting("a device alone", "device-only", _clips(3), _nodes(), _links(10)),
    _setting(
        "0.5 Mbit/s, metered",
        "cloud-only",
        _clips(4, gap_s=8),
        _nodes(cloud=6e10, device_more='technology = "lte"'),
        _links(0.5),
        quick=True,
    ),
    _setting("200 Mbit/s", "cloud-only", _clips(5, gap_s=6), _nodes(cloud=1e11), _links(200)),
    _setting("2 Mbit/s, 80 ms", "pyramid", _clips(3), _nodes(), _links(2, 80)),
    _setting("50 Mbit/s", "pyramid", _clips(3), _nodes(), _links(50), quick=True),
    _setting("100 Mbit/s, 300 ms", "pyramid", _clips(4, gap_s=10), _nodes(), _links(100, 300)),
    _setting("5 Mbit/s", "dp-adaptive", _clips(5, gap_s=7), _nodes(cloud=1e11), _links(5), quick=True),
    _setting(
        "prompt kept, 2 Mbit/s", "dp-adaptive", _clips(3, privacy=_LOCAL), _nodes(), _links(2), quick=True
    ),
    _setting(
        "prompt kept, 100 Mbit/s, slow edge",
        "dp-adaptive",
        _clips(3, privacy=_LOCAL),
        _nodes(edge=2e10),
        _links(100),
    ),
    _setting(
        "a near edge, a far cloud",
        "dp-adaptive",
        _clips(3),
        _nodes(edge=4e10),
        _links(50, 10, cloud_mbps=1, cloud_rtt_ms=240),
    ),
    _setting(
        "a rate that moves",
        "pyramid",
        _clips(5, privacy=_LOCAL, gap_s=10.5),
        _nodes(),
        _links(0, first='trace = "rates.txt"'),
        files={"rates.txt": _MOVING},
    ),
    _setting(
        "an outage in each second job",
        "pyramid",
        _clips(4, gap_s=13),
        _nodes(),
        _MEDIUM,
        _links(0, first=_THROUGH),
        _OUTAGE.format(at_s=6.0),
        _OUTAGE.format(at_s=32.0),
    ),
    _setting(
        "two devices on one medium and one edge", "edge-only", _MEDIUM, _clips(4, gap_s=10), _TWO, quick=True
    ),
    _setting(
        "an edge that others keep busy",
        "edge-only",
        _clips(4, gap_s=8),
        _nodes(edge_more="load = 0.4"),
        _links(10),
    ),
    _setting(
        "an edge that dies", "edge-only", _clips(3, gap_s=16), _nodes(), _links(10), _DEATH.format(at_s=0.9)
    ),
    _setting("a hot device on battery", "pyramid", _clips(3, gap_s=14), _nodes(device_more=_HOT), _links(10)),
)
