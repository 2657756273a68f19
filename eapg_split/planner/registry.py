"""Finds a policy by what a person wrote: a name of ours, an installed one, `module:Class`, a Python file or a model's.

Loading runs the policy's code. In a daemon that happens with the daemon's rights, so only names from people who may
run programs there should get here.
"""

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final

from eapg_split.errors import EapgError, InvalidRequest
from eapg_split.planner.learned import LearnedPolicy
from eapg_split.planner.policy import API_VERSION, Policy
from eapg_split.planner.policy_models import ENDINGS

GROUP: Final = "eapg_split.policies"
_MAX_NAME: Final = 1024


@dataclass(frozen=True, slots=True)
class Listed:
    """One policy that can be named: where it comes from, what it does, and why it cannot be loaded if so."""

    name: str
    origin: str
    summary: str = ""
    error: str = ""


def load_policy(name: str, ours: Mapping[str, type[Policy]]) -> Policy:
    """A new policy object. Raises InvalidRequest with one sentence for all that can be wrong with it."""
    if len(name) > _MAX_NAME:
        raise InvalidRequest(f"The name of a policy has {_MAX_NAME} characters at most.")
    if name in ours:
        return ours[name]()
    if name.endswith(ENDINGS):
        return _guarded(name, lambda: LearnedPolicy(Path(name).expanduser()))
    if is_path(name):
        path, _, attribute = _split_path(name)
        return _guarded(name, lambda: _from_file(Path(path), attribute))
    module, separator, attribute = name.partition(":")
    if separator:
        return _guarded(name, lambda: _made(getattr(importlib.import_module(module), attribute)))
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if name in installed:
        return _guarded(name, lambda: _made(installed[name].load()))
    known = ", ".join([*ours, *sorted(set(installed) - set(ours))])
    raise InvalidRequest(
        f'There is no policy {name[:64]!r}: use one of {known}, or "module:Class", or a path such as "./mine.py".'
    )


def list_policies(ours: Mapping[str, type[Policy]]) -> tuple[Listed, ...]:
    """Ours and the installed ones; these are loaded, so that what is wrong with them is known."""
    rows = [Listed(name, "built in", summary_of(kind)) for name, kind in ours.items()]
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        origin = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value
        if point.name in ours:
            error = f"The name is one of ours: load it as {point.value!r}."
            rows.append(Listed(point.name, origin, error=error))
            continue
        try:
            policy = _guarded(point.name, partial(_loaded, point))
            rows.append(Listed(point.name, origin, summary_of(type(policy))))
        except EapgError as error:
            rows.append(Listed(point.name, origin, error=error.message))
    return tuple(rows)


def summary_of(kind: type) -> str:
    """The first line of a class's docstring."""
    return (inspect.getdoc(kind) or "").split("\n")[0]


def is_path(name: str) -> bool:
    """Whether a policy's name is the path of a file: a model, or code with or without a class after it."""
    path, _, _ = _split_path(name)
    return path.endswith((".py", *ENDINGS))


def is_code(name: str) -> bool:
    """Whether a policy's name is code of the caller's choice, or a file, not a policy that is installed."""
    return ":" in name or is_path(name)


def absolute(name: str) -> str:
    """The same name for a process that runs in another folder: the path of a file becomes absolute."""
    if not is_path(name):
        return name
    path, separator, attribute = _split_path(name)
    return f"{Path(path).expanduser().absolute()}{separator}{attribute}"


def _split_path(name: str) -> tuple[str, str, str]:
    """Path, colon and class; only what follows ".py" is a class, as a path may have a colon of its own."""
    found = re.fullmatch(r"(.*\.py)(:)(\w+)", name, re.DOTALL)
    return (found[1], found[2], found[3]) if found else (name, "", "")


def _guarded(name: str, load: Callable[[], Policy]) -> Policy:
    try:
        return load()
    except InvalidRequest as error:
        raise InvalidRequest(f"{name[:128]!r} {error.message}") from error
    except BaseException as error:  # a stranger's module may raise anything, SystemExit too
        if isinstance(error, KeyboardInterrupt):
            raise
        words = " ".join(str(error).split())[:300]
        reason = f"{type(error).__name__}: {words}" if words else type(error).__name__
        raise InvalidRequest(
            f"The policy {name[:128]!r} cannot be loaded ({reason}): correct its name or its code."
        ) from error


def _loaded(point: EntryPoint) -> Policy:
    return _made(point.load())


def _from_file(path: Path, attribute: str) -> Policy:
    """Reads the file anew each time, so that a daemon need not be started again after a change."""
    path = path.expanduser()
    digest = sha256(str(path.absolute()).encode()).hexdigest()[:8]
    module_name = "_".join(("eapg_policy", re.sub(r"\W", "_", path.stem), digest))
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and pickle look there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(module_name, None)
        raise
    return _made(getattr(module, attribute) if attribute else _only_class(module))


def _only_class(module: ModuleType) -> object:
    found = list(_policy_classes(module))
    if len(found) != 1:
        names = ", ".join(kind.__name__ for kind in found) or "none"
        raise InvalidRequest(
            f"holds {len(found)} policy classes ({names}): name one after the path, as in mine.py:Mine."
        )
    return found[0]


def _policy_classes(module: ModuleType) -> Iterator[type]:
    for name, value in vars(module).items():
        own = inspect.isclass(value) and value.__module__ == module.__name__
        if own and not name.startswith("_") and callable(getattr(value, "plan", None)):
            yield value


def api_version_of(policy: object) -> str:
    """The version of the policy API that it was written for; this one where it does not say."""
    return str(getattr(policy, "api_version", API_VERSION))


def fits_api(version: str) -> bool:
    """Whether a policy for that version runs here: the number before the first dot counts."""
    return version.partition(".")[0] == str(API_VERSION)


def _made(kind: object) -> Policy:
    """An object of the class, once it is known to be a policy that fits."""
    if not callable(kind):
        raise InvalidRequest("is not a class: name a class that can be made without arguments.")
    policy: object = kind()
    if not callable(getattr(policy, "plan", None)):
        raise InvalidRequest("is not a policy: give it a method plan(view) that returns a Plan.")
    name = getattr(policy, "name", None)
    if not isinstance(name, str) or not 1 <= len(name) <= 64:
        raise InvalidRequest('has no name: give the class an attribute such as name = "mine".')
    version = api_version_of(policy)
    if not fits_api(version):
        raise InvalidRequest(
            f"was written for version {version[:32]} of the policy API and this is version {API_VERSION}: "
            "install a version of it that fits."
        )
    return policy  # type: ignore[return-value]  # both members have just been looked at
