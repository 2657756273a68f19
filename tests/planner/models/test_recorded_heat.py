"""The thermal model beside a real phone's zones: half a minute ahead, from what its processor and battery say.

The phone is under mild load and its power was not recorded, so this can refute a time constant that is far off, or heat
that flows the wrong way; it says nothing of throttling.
"""

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from numpy.typing import NDArray

from eapg_split.planner.models.thermal import Heat, ThermalModel

TRACES = Path(__file__).resolve().parents[4] / "shared" / "traces" / "phone-thermal-s25"
AHEAD_S = 30.0

pytestmark = pytest.mark.skipif(
    not TRACES.is_dir(), reason="the recorded zones are not here; docs/telemetry.md says which they are"
)


class Zones:
    """One file: columns by name, rows of one zone."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as found:
            self._rows = found["predictions"]
            self._columns = [str(name) for name in found["column_names"]]
            self._zones = [str(name) for name in found["zone_names"]]

    def of(self, zone: str, column: str) -> NDArray[np.float32]:
        rows = self._rows[self._rows[:, self._columns.index("zone_id")] == self._zones.index(zone)]
        found: NDArray[np.float32] = rows[:, self._columns.index(column)]
        return found


def errors(skin_j_per_k: float = ThermalModel.skin_j_per_k) -> list[float]:
    off = []
    for path in sorted(TRACES.glob("*.npz")):
        zones = Zones(path)
        skins, airs = zones.of("BATTERY", "T0"), zones.of("BATTERY", "T_ambient")
        later, dies = zones.of("BATTERY", "temp_actual"), zones.of("CPU_BIG", "T0")
        for skin_c, air_c, later_c, die_c in zip(skins, airs, later, dies, strict=False):
            model = ThermalModel(air_c=float(air_c), skin_j_per_k=skin_j_per_k)
            heat = Heat(float(die_c), float(skin_c))
            watts = max(0.0, (heat.die_c - heat.skin_c) / model.die_k_per_w)
            off.append(abs(model.after(heat, watts, AHEAD_S).skin_c - float(later_c)))
    return off


def test_half_a_minute_ahead_it_is_off_by_less_than_a_degree() -> None:
    off = errors()
    assert len(off) > 5000
    assert fmean(off) < 0.7


def test_a_skin_that_warms_ten_times_as_fast_is_refuted() -> None:
    assert fmean(errors(skin_j_per_k=4.5)) > 2 * fmean(errors())
