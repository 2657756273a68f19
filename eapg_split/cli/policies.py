"""`eapg-split policy list` and `eapg-split policy check`."""

import json
import math
from dataclasses import asdict

from eapg_split.cli.text import table
from eapg_split.planner import available, resolve
from eapg_split.testing.policy_contract import check_policy

_MARKS = {True: "pass", False: "FAIL", None: "-"}


def policy_lines() -> list[str]:
    """Each policy with where it comes from and what it does, what is wrong with others, and how to use one's own."""
    found = available()
    rows = [(row.name, row.origin, row.summary) for row in found if not row.error]
    broken = [f"{row.name} ({row.origin}): {row.error}" for row in found if row.error]
    return [
        *table(("name", "origin", "what it does"), rows).splitlines(),
        "",
        *([*broken, ""] if broken else []),
        'Of your own: --policy module:Class or a path such as ./mine.py; "eapg-split policy new" begins one.',
    ]


def policies_json() -> str:
    """The same for programs: a list of objects with name, origin, summary and error."""
    return json.dumps([asdict(row) for row in available()], ensure_ascii=False, indent=2)


def check_lines(
    name: str, *, views: int, seed: int, max_regret: float | None, as_json: bool
) -> tuple[str, bool]:
    """What the contract says of a policy, as a table or as JSON, and whether it holds.

    Raises InvalidRequest for a policy that cannot be loaded.
    """
    resolve(name)  # a wrong name is an error of its own kind, not a check that failed
    limit = math.inf if max_regret is None else max_regret
    findings = check_policy(lambda: resolve(name), views=views, seed=seed, max_regret=limit)
    holds = all(found.passed is not False for found in findings)
    if as_json:
        return json.dumps([asdict(found) for found in findings], ensure_ascii=False, indent=2), holds
    rows = [(_MARKS[found.passed], found.check, found.detail) for found in findings]
    verdict = (
        "The contract holds." if holds else "The contract is broken: a job would fall back to dp-static."
    )
    return f"{table(('', 'what', 'found'), rows)}\n\n{verdict}", holds
