"""What names a Redis Stream, and what does not."""

import pytest

from featurestore.errors import SourceError
from flows.sources.uri import redis_place


@pytest.mark.parametrize("uri", ["redis://host::6379/key", "redis://host:70000/key"])
def test_a_port_that_is_none_is_refused_with_the_cure(uri: str) -> None:
    with pytest.raises(SourceError, match=r"its port is no number up to 65535; write redis://"):
        redis_place(uri)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("redis://[::1/key", "its host cannot be read"),
        ("redis://:s3c#ret@host/key", "# / ? of a password as %23 %2F %3F"),
        ("redis://host/my#key", "write # as %23"),
        ("redis://:s3cret@host/0", "names no key: write redis://host:port/key"),
        ("redis://:s3cret@host/key?socket_timeout=high", "what stands behind ? is not understood"),
    ],
)
def test_what_is_wrong_is_said_as_of_a_store_without_the_password(uri: str, said: str) -> None:
    with pytest.raises(SourceError) as raised:
        redis_place(uri)
    assert said in str(raised.value)
    assert "s3c" not in str(raised.value)
