import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# shared machines are slow now and then; what hangs is caught by the timeout of pytest
settings.register_profile("eapg_split", deadline=None)
settings.load_profile("eapg_split")


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What daemons keep between runs stays out of the person's home, and no test finds another session's."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
