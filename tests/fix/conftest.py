"""Both engines of the gateway stand the same tests."""

import pytest

from touchline.fix.gateway import ENGINES


@pytest.fixture(scope="session", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    """What serves the sessions of a test's venue: "native" or "quickfix"."""
    return str(request.param)
