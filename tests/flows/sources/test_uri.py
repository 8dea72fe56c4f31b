"""What names a Redis Stream, and what does not."""

import pytest

from featurestore.errors import SourceError
from flows.sources.uri import redis_place


@pytest.mark.parametrize("uri", ["redis://host::6379/key", "redis://host:70000/key"])
def test_a_port_that_is_none_is_refused_with_the_cure(uri: str) -> None:
    with pytest.raises(SourceError, match=r"its port is no number up to 65535; write redis://host"):
        redis_place(uri)
