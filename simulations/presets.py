"""Nodes and links of which scenarios are made, in their order of magnitude; a scenario says where it differs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from simulations import traces
from simulations.traces import LinkStatistics

Table = Mapping[str, Any]

NODES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        "phone": {
            "tier": "device", "flops_per_s": 20e9, "slots": 2, "active_w": 5.0,
            "battery": {"charge": 0.8}, "heat": {"air_c": 25.0}, "technology": "wifi",
        },
        "tablet": {
            "tier": "device", "flops_per_s": 35e9, "slots": 2, "active_w": 8.0,
            "battery": {"charge": 0.8, "capacity_wh": 30.0}, "technology": "wifi",
        },
        "laptop": {"tier": "device", "flops_per_s": 80e9, "slots": 4, "active_w": 25.0, "technology": "wifi"},
        "edge-box": {"tier": "edge", "flops_per_s": 120e9, "slots": 4},
        "edge-server": {"tier": "edge", "flops_per_s": 400e9, "slots": 16, "engines": 4},
        "cloud-server": {
            "tier": "cloud", "flops_per_s": 2e12, "slots": 64, "engines": 8, "warm": False, "load_s": 2.0,
            "price_per_s": 0.001,
        },
    }
)  # fmt: skip

MODELS: Final[Mapping[str, LinkStatistics]] = MappingProxyType(
    {
        "lte-uplink": traces.LTE_UPLINK,
        "hsdpa": traces.HSDPA,
        "oboe": traces.OBOE,
        "lte-4g": traces.LTE_4G,
        "mmwave-5g": traces.MMWAVE_5G,
        "driving-5g": traces.DRIVING_5G,
    }
)
