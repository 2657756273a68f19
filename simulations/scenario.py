"""Scenario files: TOML that is checked against a JSON Schema, with errors that name the line and the mend."""

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from eapg_split.errors import InvalidRequest
from simulations.lines import line_of

MAX_FILE_BYTES: Final = 4 << 20
DEFAULT_SEEDS: Final = 5
DEFAULT_POLICIES: Final = ("dp-adaptive",)


@dataclass(frozen=True)
class Scenario:
    """A checked file: its tables, and where it stands, for the files beside it and for what is wrong with it."""

    path: Path
    tables: Mapping[str, Any]
    text: str

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
        return InvalidRequest(f"{self.path.name}, line {line_of(self.text, where)}: {sentence}")


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


def parse_scenario(path: Path, text: str) -> Scenario:
    """The scenario in a text. Raises InvalidRequest that names the line."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"{path.name} is not TOML: {error}.") from error
    scenario = Scenario(path, tables, text)
    _check(scenario)
    return scenario


@cache
def schema() -> Mapping[str, Any]:
    """The JSON Schema of scenario files."""
    text = (files("simulations") / "scenario.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def _check(scenario: Scenario) -> None:
    from jsonschema import Draft202012Validator  # only whoever reads a scenario needs it
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema()).iter_errors(scenario.tables))
    if error is None:
        return
    path, words = list(error.absolute_path), error.message
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        near = difflib.get_close_matches(unknown, known, 1)
        words = f"there is no key {unknown!r} here: " + (
            f"perhaps {near[0]!r} is meant." if near else f"known are {', '.join(known)}."
        )
        path.append(unknown)
    elif error.validator == "required":
        words = f"{error.message.replace(' is a required property', '')} is missing here: add it."
    elif path:
        says = error.schema.get("description", "")
        words = f"{path[-1]}: {error.message}. {says}".strip()
    raise scenario.wrong(path, words)
