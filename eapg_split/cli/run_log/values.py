"""Frozen dataclasses as JSON values and back, by their annotations: a field that is added there is in the log too."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from typing import Final, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

MAX_INTEGER: Final = 2**63 - 1
MAX_NUMBER: Final = 1e12  # seconds, bits and decibels are far below it, and what draws them stays finite
_DIGITS: Final = 6  # microseconds


class BadValue(ValueError):  # noqa: N818  (as the errors of the package are named)
    """A JSON value that is not what its field holds; the text is a sentence without its full stop."""


def to_json(value: object) -> object:
    """What `json.dumps` takes for a value. Raises BadValue where JSON has no word for it (NaN, infinity)."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadValue(f"{value} is not a number that JSON knows")
        return round(value, _DIGITS)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(each) for each in value]
    raise BadValue(f"a {type(value).__name__} has no place in a log")


def from_json(kind: type[T], data: object, name: str = "the line") -> T:
    """A `kind` from what `json.loads` gave; `name` is what messages call it.

    Fields that `kind` does not have are ignored, and those with a default may be absent, so that logs of versions
    a little newer or older can be read. Numbers must be finite and not negative. Raises BadValue.
    """
    value = _read(kind, data, name)
    assert isinstance(value, kind)
    return value


def _read(annotation: object, data: object, name: str) -> object:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        items = _expect(list, data, name, "a list")
        if inner[-1] is not Ellipsis and len(items) != len(inner):
            raise BadValue(f"{name} must have {len(inner)} values, not {len(items)}")
        return tuple(_read(inner[0], each, f"{name}[{index}]") for index, each in enumerate(items))
    if origin is dict:
        pairs = _expect(dict, data, name, "an object")
        return {key: _read(inner[1], each, f"a value of {name}") for key, each in pairs.items()}
    if isinstance(annotation, type):
        if is_dataclass(annotation):
            return _read_fields(annotation, _expect(dict, data, name, "an object"))
        if issubclass(annotation, StrEnum):
            return _read_choice(annotation, data, name)
        return _read_scalar(annotation, data, name)
    raise BadValue(f"{name} cannot be kept in a log")


def _read_fields(kind: type, data: Mapping[str, object]) -> object:
    hints = get_type_hints(kind)
    values = {}
    for each in fields(kind):
        if each.name in data:
            values[each.name] = _read(hints[each.name], data[each.name], f"'{each.name}'")
        elif each.default is MISSING and each.default_factory is MISSING:
            raise BadValue(f"'{each.name}' is missing")
    return kind(**values)


def _read_scalar(kind: type, data: object, name: str) -> object:
    if kind is float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not 0 <= data <= MAX_NUMBER:
            raise BadValue(f"{name} must be a number from 0 to {MAX_NUMBER:g}")
        return float(data)
    if kind is int:
        count = _expect(int, data, name, "a whole number")
        if not 0 <= count <= MAX_INTEGER:
            raise BadValue(f"{name} must be a whole number from 0 to 2^63 - 1")
        return count
    return _expect(kind, data, name, {str: "text", bool: "true or false"}.get(kind, kind.__name__))


def _read_choice(kind: type[StrEnum], data: object, name: str) -> StrEnum:
    try:
        return kind(_expect(str, data, name, "text"))
    except ValueError:
        raise BadValue(f"{name} must be one of {', '.join(kind)}") from None


def _expect(kind: type[T], data: object, name: str, words: str) -> T:
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise BadValue(f"{name} must be {words}")
    return data
