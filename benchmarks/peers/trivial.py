"""A trivial raw ASGI app: reads the body, answers with bytes that it has; no store, no features.

As little as an app on uvicorn can do. ``BENCHMARK_ANSWERS`` says how many bytes it answers, by
path: ``{"/v1/features/ten": 430}``.
"""

import json
import os
from typing import Any

_SIZES: dict[str, int] = json.loads(os.environ["BENCHMARK_ANSWERS"])
_ANSWERS = {path: b"x" * size for path, size in _SIZES.items()}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = _ANSWERS.get(scope["path"], b"")
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
