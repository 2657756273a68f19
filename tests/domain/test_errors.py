import inspect

import pytest

from eapg_split import errors
from eapg_split.errors import LEAVES, EapgError, Retry


def test_every_error_is_in_the_table() -> None:
    defined = {
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, EapgError) and value is not EapgError
    }
    assert defined == set(LEAVES)
    assert len(LEAVES) == len(defined)


def test_exit_codes_tell_errors_apart() -> None:
    codes = [leaf.exit_code for leaf in LEAVES]
    assert len(set(codes)) == len(codes)
    assert all(2 <= code < 64 for code in codes)


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_error_says_what_where_and_how_far_to_go_back(leaf: type[EapgError]) -> None:
    error = leaf("It broke: mend it.", node_id="edge", session_id="s1")
    assert str(error) == error.message == "It broke: mend it."
    assert (error.node_id, error.session_id) == ("edge", "s1")
    assert leaf.retry in Retry
    assert leaf.code.isupper()
    assert leaf.__doc__
