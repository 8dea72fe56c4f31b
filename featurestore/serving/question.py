"""A question: what one request asks of a plan, checked, on its way to the rows and back."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from featurestore.serving.context import Context, Given, context_of
from featurestore.serving.plan import Plan
from featurestore.serving.vector import Vectors


class Question(Struct, frozen=True):
    """What a request asks.

    Attributes:
        plan: How to answer it: for all features of the service, or for those chosen.
        keys: The rows to fetch.
        clocks: The event clocks to fetch with them; none for a request that names a moment.
        now_us: The moment to look back from, in microseconds UTC.
        context: What on-demand functions are given; None where none is called.
    """

    plan: Plan
    keys: list[bytes]
    clocks: Sequence[bytes]
    now_us: int
    context: Context | None

    def answer(self, found: Sequence[bytes | None], *, as_columns: bool = False) -> Vectors:
        """Return the vectors.

        Args:
            found: What was found under `keys`, then what `clocks` said.
            as_columns: Whether the vectors are wanted column by column.

        Raises:
            OnDemandFailed: A function raised, or gave something else than it promised.
        """
        plan, end = self.plan, len(self.keys)
        if plan.is_plain:
            return plan.answer(found, self.now_us, as_columns=as_columns)
        moments = self._moments(found[end:])
        return plan.answer(found[:end], self.now_us, moments, self.context, as_columns=as_columns)

    def _moments(self, newest: Sequence[bytes | None]) -> dict[str, int]:
        """Return what `now` is for each stream with an event clock.

        A stream of which nothing was committed yet has no clock of its own.
        """
        moments = [self.now_us if at is None else int(at) for at in newest]
        streams = self.plan.clocks
        return dict(zip(streams, moments or [self.now_us] * len(streams), strict=True))


def ask(
    plan: Plan,
    entities: Sequence[Mapping[str, object]],
    *,
    now_us: int,
    as_of_us: int | None = None,
    features: Sequence[str] | None = None,
    context: Given = None,
) -> Question:
    """Understand a request.

    Args:
        plan: The plan of the service.
        entities: The keys of each entity.
        now_us: The wall clock, in microseconds UTC.
        as_of_us: The moment to look back from; if None that of each view's clock.
        features: The features wanted, in the order wanted; all of the service if None.
        context: What on-demand functions are given: one for all entities, or one for each.

    Raises:
        BadEntity: A key is missing or of the wrong type.
        BadFeature: A feature is not there, or stands twice.
        RequestError: No features are named, or not as a list.
        BadContext: A value of the context is missing, unknown or of the wrong type.
    """
    whole = plan
    if features is not None:
        plan = plan.select(features)
    keys = plan.row_keys(entities)
    moment = now_us if as_of_us is None else as_of_us
    if plan.is_plain and not context:
        return Question(plan, keys, (), moment, None)
    clocks = tuple(plan.clocks.values()) if as_of_us is None else ()
    arrays = None
    if plan.is_computed or context:
        arrays = context_of(context, plan.context, whole.context, len(entities), moment)
    return Question(plan, keys, clocks, moment, arrays if plan.is_computed else None)
