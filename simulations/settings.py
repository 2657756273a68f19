"""Values that are set in a scenario from outside, by the dotted path to their place: `links.phone:box.rate_mbps=10`."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from eapg_split.domain.toml_text import tables_in
from eapg_split.errors import InvalidRequest

MAX_VALUES: Final = 1000  # that one parameter may take
_MAX_CHARACTERS: Final = 10_000
_ALL: Final = "*"
_PART: Final = re.compile(r"(?:\"([^\"]+)\"|'([^']+)'|([^.\"']+))(?:\.|$)")
# one of each is given: setting it takes the place of the others
_EITHER: Final = (("rate_mbps", "trace", "model"), ("every_s", "at_s", "arrivals"))

Table = dict[str, Any]
Rules = Mapping[str, Any]  # a JSON Schema


@dataclass(frozen=True, slots=True)
class Setting:
    """A place and the value there, as JSON can hold it."""

    path: str
    value: object

    def __str__(self) -> str:
        return f"{self.path}={shown(self.value)}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A place and the values that are tried there."""

    path: str
    values: tuple[object, ...]

    def settings(self) -> Iterator[Setting]:
        """Each value in its place."""
        return (Setting(self.path, value) for value in self.values)


def read_parameter(text: str) -> Parameter:
    """`PATH=A,B,C`; values are written as in TOML, and what is no TOML is text. Raises InvalidRequest."""
    path, equals, written = text.partition("=")
    path = path.strip()
    if not equals or not path or not written.strip() or len(text) > _MAX_CHARACTERS:
        raise InvalidRequest(
            f"--set {text[:64]!r} is not understood: write it like 'links.rate_mbps=1,10,100', with at most"
            f" {_MAX_CHARACTERS} characters."
        )
    _parts(path)
    values = tuple(_values(written))
    if not all(map(_plain, values)):
        raise InvalidRequest(f"--set {path} needs numbers, words, truth values or lists of them.")
    if len(values) > MAX_VALUES:
        raise InvalidRequest(
            f"--set {path} has {len(values)} values, and {MAX_VALUES} are allowed: try fewer."
        )
    twice = next((value for number, value in enumerate(values) if value in values[:number]), None)
    if twice is not None:
        raise InvalidRequest(f"--set {path} has {shown(twice)} twice: name each value once.")
    return Parameter(path, values)


def put(tables: Table, rules: Rules, setting: Setting) -> None:
    """Sets the value in the tables of a scenario with that schema. Raises InvalidRequest where it has no such place."""
    *names, key = _parts(setting.path)
    for table in _tables(tables, rules, names, "the scenario"):
        for others in _EITHER:
            if key in others:
                for other in others:
                    table.pop(other, None)
        table[key] = deepcopy(setting.value)


def unknown_key(unknown: str, known: Iterable[str]) -> str:
    """What to say of a key that is not known."""
    known = list(known)
    near = difflib.get_close_matches(unknown, known, 1)
    return f"there is no key {unknown!r} here: " + (
        f"perhaps {near[0]!r} is meant." if near else f"known are {', '.join(known)}."
    )


def shown(value: object) -> str:
    """A value as a person writes it: numbers and words bare and short, the rest as JSON."""
    if isinstance(value, str):
        return value
    short = f"{value:g}" if isinstance(value, float) else ""
    return short if short and float(short) == value else json.dumps(value, separators=(",", ":"))


def _parts(path: str) -> list[str]:
    parts, at = list[str](), 0
    while at < len(path):
        found = _PART.match(path, at)
        if found is None:
            break
        parts.append(next(part for part in found.groups() if part))
        at = found.end()
    if at < len(path) or path.endswith("."):
        raise InvalidRequest(f"{path[:64]!r} is no path: write it like nodes.phone.battery.charge.")
    return parts


def _values(written: str) -> list[object]:
    """As a TOML list, or else one by one."""
    try:
        listed: list[object] = tables_in(f"values = [{written}]", "")["values"]
    except InvalidRequest:
        return [_value(each.strip()) for each in written.split(",")]
    return listed


def _value(written: str) -> object:
    try:
        value: object = tables_in(f"value = {written}", "")["value"]
    except InvalidRequest:
        return written
    return value


def _plain(value: object) -> bool:
    """Whether JSON can hold it: neither a date nor what is no number."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _tables(here: Any, rules: Rules, names: Sequence[str], said: str) -> Iterator[Table]:
    """Every table that the names lead to."""
    if isinstance(here, list):
        chosen, rest = _listed(here, names, said)
        for number in chosen:
            yield from _tables(here[number], rules.get("items", {}), rest, f"{said} {number}")
    elif not isinstance(here, dict):
        raise InvalidRequest(f"{said} is no table: nothing can be set in it.")
    elif not names:
        yield here
    else:
        for name in list(here) if names[0] == _ALL else names[:1]:
            inner = _rules(here, rules, name, said)
            if name not in here:
                if inner.get("type") == "array":
                    raise InvalidRequest(f"{said} has no {name}: there is none to set anything in.")
                here[name] = {}
            yield from _tables(here[name], inner, names[1:], name)


def _rules(here: Table, rules: Rules, name: str, said: str) -> Rules:
    """Those for what stands under a name. A table of names, as `nodes` is, has to have it."""
    own: Mapping[str, Rules] = rules.get("properties", {})
    free = rules.get("additionalProperties")
    if name in own:
        return own[name]
    if isinstance(free, dict):
        if name not in here:
            known = ", ".join(list(here)[:12]) or "none"
            raise InvalidRequest(f"there is no {name!r} under {said}: there are {known}.")
        return free
    if own:
        raise InvalidRequest(unknown_key(name, own))
    return {}


def _listed(here: Sequence[Any], names: Sequence[str], said: str) -> tuple[Sequence[int], Sequence[str]]:
    """Which of a list are meant, and the names that are left: by number, by what they are called, or all of them."""
    everything = range(len(here))
    if not names:
        return everything, names
    name, rest = names[0], names[1:]
    if name == _ALL:
        return everything, rest
    if name.isdecimal():
        if int(name) >= len(here):
            raise InvalidRequest(f"there is no {said} {name}: they are counted from 0 to {len(here) - 1}.")
        return [int(name)], rest
    called = [number for number in everything if _called(here[number]) == name]
    if called:
        return called, rest
    if ":" in name:
        known = ", ".join(dict.fromkeys(_called(each) for each in here))
        raise InvalidRequest(f"there is no {name!r} under {said}: there are {known[:300]}.")
    return everything, names


def _called(table: Mapping[str, object]) -> str:
    """What a table of a list is known by: a link by its ends, a rule by its kind, a fault by what it strikes."""
    if "from" in table:
        return f"{table['from']}:{table.get('to')}"
    return str(table.get("kind") or table.get("node") or table.get("medium") or "")
