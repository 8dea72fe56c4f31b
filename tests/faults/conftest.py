"""What the fault tests share: how long they run, and where their figures go."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="at least 100 kills, and a long soak")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to take the time: `python -m pytest tests/faults --long -s`."""
    return bool(request.config.getoption("--long", default=False))
