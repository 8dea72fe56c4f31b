"""URLs of stores: told apart before anything connects."""

from pathlib import Path

import pytest

from featurestore.client import Client
from featurestore.errors import StoreError
from featurestore.storage.address import problem

EXAMPLE = Path(__file__).parents[2] / "examples/flights/features.py"


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://cache",
        "redis://[::1]:6379/2",
        "redis://app:p@ss@cache:6379/0/",
        "rediss://cache:6380?ssl_cert_reqs=none",
        "redis://cache?db=3&health_check_interval=5",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_urls_that_name_a_store(url: str) -> None:
    assert problem(url) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:6379", "must be redis://host:port"),
        ("valkey://localhost", "must be redis://host:port"),
        ("redis://cache:port", "its port is no number up to 65535"),
        ("redis://cache:99999", "its port is no number up to 65535"),
        ("redis://:s3c#ret@cache:6379", "# / ? of a password as %23 %2F %3F"),
        ("redis://:1234#s3cret@cache:6379", "what stands behind # would be passed over"),
        ("redis://[::1:6379", "its host cannot be read"),
        ("redis://cache:6379/shop", "its database 'shop' is no number"),
        ("redis://cache?db=shop", "what stands behind ? is not understood"),
        ("redis://:s3c@cache?speed=high", "what stands behind ? is not understood"),
    ],
)
def test_urls_that_name_none_are_refused_with_what_is_wrong(url: str, said: str) -> None:
    found = problem(url)
    assert found is not None
    assert said in found
    assert "s3c" not in found


def test_a_client_refuses_one_before_it_asks() -> None:
    with pytest.raises(StoreError, match="its port is no number"):
        Client(str(EXAMPLE), "redis://localhost:99999")
