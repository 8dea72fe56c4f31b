"""What the fault tests share: how long they run, and where their figures go."""

import pytest

collect_ignore = ["fuzz.py"]  # needs what `make faults` installs


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="at least 100 kills, and a long soak")
    parser.addoption("--soak-minutes", type=float, default=30.0, help="how long the soak lasts")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to take the time: `python -m pytest tests/faults --long -s`."""
    return bool(request.config.getoption("--long", default=False))


@pytest.fixture
def soak_minutes(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--soak-minutes", default=30.0))
