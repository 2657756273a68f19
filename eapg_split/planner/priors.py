"""What is assumed where nobody has measured anything yet. Every number here is replaced as soon as one is known."""

from types import MappingProxyType
from typing import Final

from eapg_split.domain.profile import StageCost
from eapg_split.domain.topology import Tier
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.models.radio import RADIOS, Technology

# A small board, a workstation and a server, each without an accelerator, on float32 convolutions.
_FLOPS_PER_S: Final = MappingProxyType({Tier.DEVICE: 20e9, Tier.EDGE: 80e9, Tier.CLOUD: 200e9})
_OVERHEAD_S: Final = 0.005
_LOAD_S: Final = 0.5  # of one stage's weights, from a disk that has not read them lately

# Both directions of Wi-Fi to the next room; a mobile uplink and its downlink, three times as fast; a fixed line. The
# rates are low, as a wrong guess costs least there; sigma is a factor of two in each direction.
_SIGMA: Final = 0.7
_LINKS: Final = MappingProxyType(
    {
        (Tier.DEVICE, Tier.EDGE): LinkEstimate(40e6, 0.01, _SIGMA),
        (Tier.EDGE, Tier.DEVICE): LinkEstimate(40e6, 0.01, _SIGMA),
        (Tier.DEVICE, Tier.CLOUD): LinkEstimate(10e6, 0.05, _SIGMA),
        (Tier.CLOUD, Tier.DEVICE): LinkEstimate(30e6, 0.05, _SIGMA),
    }
)
_FIXED_LINE: Final = LinkEstimate(100e6, 0.03, _SIGMA)


def assumed_cost(tier: Tier) -> StageCost:
    """A step of any stage on a node that has never been measured."""
    return StageCost(
        _OVERHEAD_S,
        _FLOPS_PER_S[tier],
        load_s=_LOAD_S,
        uncertain=True,
        entry_flops_per_s=_FLOPS_PER_S[tier],
    )


def assumed_link(source: Tier, target: Tier) -> LinkEstimate:
    """A link that has carried nothing yet."""
    return _LINKS.get((source, target), _FIXED_LINE)


# A phone's processor in its order of magnitude: watts while it computes and while it waits.
ACTIVE_W: Final = 5.0
IDLE_W: Final = 1.0
# Of a device on battery that did not say how it is connected: between Wi-Fi and LTE.
RADIO: Final = RADIOS[Technology.NSA_LOW]
