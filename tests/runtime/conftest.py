import pytest

from eapg_split.planner import look_budget


@pytest.fixture(autouse=True)
def _looks_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toy steps are shorter than looks at a plan, and what a look does is tested where it is made: at each of them."""
    monkeypatch.setattr(look_budget, "SHARE", 1e9)
