"""`eapg-split policy list`."""

from eapg_split.cli.text import purpose, table
from eapg_split.planner import POLICIES


def policy_lines() -> list[str]:
    """Each policy with what it does, and how to use one's own."""
    rows = [(name, purpose(kind)) for name, kind in POLICIES.items()]
    return [
        *table(("name", "what it does"), rows).splitlines(),
        "",
        "Of your own: --policy module:Class, where the device's daemon can import it.",
    ]
