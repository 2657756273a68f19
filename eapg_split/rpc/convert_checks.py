"""What every event that comes from elsewhere must be, whatever it tells of."""

from dataclasses import fields
from typing import Final, TypeVar

from eapg_split.errors import CorruptPayload

T = TypeVar("T")

_MOST: Final = 1e12  # seconds and rates are far below it


def with_numbers(event: T) -> T:
    """The same event. Raises CorruptPayload where a number of it is negative, infinite or none at all."""
    for each in fields(event):  # type: ignore[arg-type]  # every event is a dataclass
        value = getattr(event, each.name)
        if isinstance(value, float) and not 0 <= value <= _MOST:
            raise CorruptPayload(
                f"A {type(event).__name__} came whose {each.name} is {value:g}: update the older of the two nodes."
            )
    return event
