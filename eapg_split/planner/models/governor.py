"""How a hot device slows down: in steps and with hysteresis, as phones do."""

from dataclasses import dataclass
from typing import Final

from eapg_split.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Governor:
    """Clock ratios by level, level 0 the fastest; level k begins at `up_c[k - 1]` and ends `hysteresis_c` below it.

    The defaults are the GPU clock of a Galaxy S25 under sustained load against its skin: 1200 MHz up to 34 C, 1087 up
    to 36, 842 up to 38, 744 above 42, and dips to 525. Raises InvalidRequest unless there is one threshold between
    each two levels, and both fall or rise as they must.
    """

    ratios: tuple[float, ...] = (1.0, 0.85, 0.7, 0.62, 0.45)
    up_c: tuple[float, ...] = (34.0, 36.0, 40.0, 44.0)
    hysteresis_c: float = 2.0

    def __post_init__(self) -> None:
        falling = all(a > b for a, b in zip(self.ratios, (*self.ratios[1:], 0.0), strict=True))
        rising = all(a < b for a, b in zip(self.up_c, self.up_c[1:], strict=False))
        if len(self.ratios) != len(self.up_c) + 1 or not (falling and rising and self.hysteresis_c > 0):
            raise InvalidRequest(
                "A governor needs falling clock ratios above 0, one rising threshold between each two of them, and a"
                " positive hysteresis."
            )

    def level(self, temperature_c: float, before: int = 0) -> int:
        """The level at that temperature, coming from `before`."""
        level = before
        while level < len(self.up_c) and temperature_c >= self.up_c[level]:
            level += 1
        while level > 0 and temperature_c <= self.up_c[level - 1] - self.hysteresis_c:
            level -= 1
        return level

    def nearest(self, clock_ratio: float) -> int:
        """The level whose clock ratio is nearest to one that was measured."""
        return min(range(len(self.ratios)), key=lambda level: abs(self.ratios[level] - clock_ratio))

    def bounds(self, level: int) -> tuple[float, float]:
        """Between which temperatures the level stays as it is."""
        below = self.up_c[level - 1] - self.hysteresis_c if level else float("-inf")
        above = self.up_c[level] if level < len(self.up_c) else float("inf")
        return below, above


PHONE_GOVERNOR: Final = Governor()
