"""Flags from a file: `eapg-split --config FILE COMMAND`, where the table [COMMAND] holds values for its flags."""

from collections.abc import Mapping
from pathlib import Path

from typer.core import TyperGroup, TyperOption

from eapg_split.config import load_toml
from eapg_split.errors import InvalidRequest

Defaults = dict[str, object]


def defaults_from(path: Path, commands: TyperGroup) -> Defaults:
    """What Typer takes as the defaults of flags: a flag that is given wins. Its own checks see the values later.

    Raises InvalidRequest for a table that is no command, a key that is no flag, and a value that no flag can have.
    """
    return {name: _table(path, name, table, commands) for name, table in load_toml(path).items()}


def _table(path: Path, name: str, table: object, commands: TyperGroup) -> Defaults:
    command = commands.commands.get(name)
    if command is None or not isinstance(table, dict):
        known = ", ".join(f"[{each}]" for each in sorted(commands.commands))
        raise InvalidRequest(f"{path}: {name!r} is not a table of a command; there are {known}.")
    flags = {
        option: each for each in command.params if isinstance(each, TyperOption) for option in _names(each)
    }
    return dict(_flag(path, name, key, value, flags) for key, value in table.items())


def _names(option: TyperOption) -> set[str]:
    return {each.removeprefix("--") for each in option.opts if each.startswith("--")}


def _flag(
    path: Path, table: str, key: str, value: object, flags: Mapping[str, TyperOption]
) -> tuple[str, object]:
    option = flags.get(key.replace("_", "-"))
    where = f"{path}: {table}.{key}"
    if option is None or option.name is None:
        raise InvalidRequest(f"{where} is not a flag of '{table}'; they are {', '.join(sorted(flags))}.")
    values = value if option.multiple and isinstance(value, list) else [value]
    fits = all(isinstance(each, str | int | float) for each in values)
    if not fits or isinstance(value, bool) != bool(option.is_flag):
        wanted = "true or false" if option.is_flag else "a list" if option.multiple else "text or a number"
        raise InvalidRequest(f"{where} must be {wanted}, not {value!r}.")
    return option.name, value
