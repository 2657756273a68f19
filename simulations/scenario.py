"""Scenario files: TOML that is checked against a JSON Schema, with errors that name the line and the mend."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from eapg_split.domain.toml_text import tables_in
from eapg_split.errors import InvalidRequest
from simulations.lines import line_of
from simulations.settings import Setting, put, unknown_key

MAX_FILE_BYTES: Final = 4 << 20
_MOST_WORDS: Final = 300  # of what the checker says, which quotes what it checked
DEFAULT_SEEDS: Final = 5
DEFAULT_POLICIES: Final = ("dp-adaptive",)


@dataclass(frozen=True)
class Scenario:
    """A checked file: its tables, and where it stands, for the files beside it and for what is wrong with it.

    `settings` are what was set from outside; the tables have it.
    """

    path: Path
    tables: Mapping[str, Any]
    text: str
    settings: tuple[Setting, ...] = ()

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def title(self) -> str:
        return str(self.tables["title"])

    @property
    def until_s(self) -> float:
        return float(self.tables.get("until_s", "inf"))

    @property
    def seeds(self) -> int:
        return int(self.tables.get("seeds", DEFAULT_SEEDS))

    @property
    def policies(self) -> tuple[str, ...]:
        return tuple(self.tables.get("policies", DEFAULT_POLICIES))

    def wrong(self, where: Sequence[str | int], sentence: str) -> InvalidRequest:
        """The error for what stands at a path."""
        line = line_of(self.text, where)
        return InvalidRequest(f"{self.path.name}, line {line}{_with(self.settings)}: {sentence}")

    def having(self, settings: Sequence[Setting]) -> "Scenario":
        """The same with values set from outside, checked as a file is. Raises InvalidRequest."""
        return parse_scenario(self.path, self.text, (*self.settings, *settings))


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with the package."""
    found = files("simulations") / "scenarios"
    return tuple(sorted(Path(each.name).stem for each in found.iterdir() if each.name.endswith(".toml")))


def read_scenario(name: str) -> Scenario:
    """A scenario by the path of its file, or by the name of one that is shipped. Raises InvalidRequest."""
    path = Path(name)
    if not path.suffix and name in shipped():
        path = Path(str(files("simulations") / "scenarios" / f"{name}.toml"))
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequest(f"{path.name} is larger than {MAX_FILE_BYTES >> 20} MiB: it is no scenario.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(
            f"There is no scenario {name!r} ({error.strerror}): name a file, or one of {', '.join(shipped())}."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path.name} is not UTF-8 text: save it as that.") from error
    return parse_scenario(path, text)


def parse_scenario(path: Path, text: str, settings: Sequence[Setting] = ()) -> Scenario:
    """The scenario in a text, with values set from outside. Raises InvalidRequest that names the line."""
    tables = tables_in(text, path.name)
    for setting in settings:
        try:
            put(tables, schema(), setting)
        except InvalidRequest as error:
            raise InvalidRequest(f"{path.name}{_with([setting])}: {error.message}") from error
    scenario = Scenario(path, tables, text, tuple(settings))
    _check(scenario)
    return scenario


@cache
def schema() -> Mapping[str, Any]:
    """The JSON Schema of scenario files."""
    text = (files("simulations") / "scenario.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def _with(settings: Sequence[Setting]) -> str:
    return f", with {' and '.join(map(str, settings))}" if settings else ""


def _check(scenario: Scenario) -> None:
    found = problem_in(scenario.tables, schema())
    if found is not None:
        raise scenario.wrong(*found)


def problem_in(tables: object, wanted: Mapping[str, Any]) -> tuple[list[str | int], str] | None:
    """What does not fit a part of the schema: the path to it, and what to do; None where all fits."""
    from jsonschema import Draft202012Validator  # only whoever reads a scenario needs it
    from jsonschema.exceptions import best_match

    strange = _not_finite(tables)
    if strange is not None:
        return list(strange), f"{strange[-1]}: it must be finite."
    error = best_match(Draft202012Validator(wanted).iter_errors(tables))
    if error is None:
        return None
    path, words = list(error.absolute_path), error.message[:_MOST_WORDS]
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        words = unknown_key(unknown, known)
        path.append(unknown)
    elif error.validator == "required":
        words = f"{error.message.replace(' is a required property', '')} is missing here: add it."
    elif path:
        says = error.schema.get("description", "")
        words = f"{path[-1]}: {words}. {says}".strip()
    return path, words


def _not_finite(value: object) -> tuple[str | int, ...] | None:
    """The path to a number that is infinite or none: a schema's bounds let those pass."""
    if isinstance(value, float) and not math.isfinite(value):
        return ()
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in parts:
        below = _not_finite(each)
        if below is not None:
            return key, *below
    return None
