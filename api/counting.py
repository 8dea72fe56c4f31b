"""Counting: every request that reaches the app, by route and status, with its time."""

from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import ROUTES, Metrics

COUNTED = "featurestore.counted"  # set in the scope of a request that counts itself


@dataclass(frozen=True)
class Counting:
    """Counts what the app inside answers."""

    app: ASGIApp
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            if COUNTED not in scope:
                route = getattr(scope.get("route"), "path", "other")
                known = route if route in ROUTES else "other"
                self.metrics.answered(known, status, perf_counter() - began)
