"""What all tests share: how long the random ones search, and the one seed they all start from.

HYPOTHESIS_PROFILE=long searches a hundred times as far. A run prints its seed and is repeated with
`pytest --hypothesis-seed=SEED`.
"""

import os
import random

import hypothesis
import pytest

hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "long",
    deadline=None,
    print_blob=True,
    max_examples=10_000,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = random.SystemRandom().randrange(1 << 32)


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed of the random tests: --hypothesis-seed={config.option.hypothesis_seed}"


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """The run's seed, for a test that draws its own random numbers."""
    return int(pytestconfig.option.hypothesis_seed)
