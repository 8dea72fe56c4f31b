"""An answer: what a request is told, whichever way it came in."""

from msgspec import Struct

JSON = b"application/json"
PROBLEM = b"application/problem+json"
ARROW = b"application/vnd.apache.arrow.stream"


class Answer(Struct, frozen=True):
    """A response before it is put into HTTP.

    Attributes:
        status: The status code.
        content_type: Of the body.
        body: The body.
        headers: Further headers.
    """

    status: int
    content_type: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
