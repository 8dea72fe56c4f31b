"""A plan: a feature service compiled once, so that a request only fetches and merges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from featurestore.aggregation.entity_keys import encode_key
from featurestore.aggregation.short_rows import Read
from featurestore.definitions.contract import Kind
from featurestore.definitions.on_demand import Declared, OnDemand
from featurestore.definitions.served import Served
from featurestore.definitions.service import Computed, FeatureService, Place
from featurestore.errors import BadEntity, BadFeature, RequestError, has, hint
from featurestore.serving.computing import Computing, place_key
from featurestore.serving.context import Context
from featurestore.serving.judging import Judging
from featurestore.serving.key_values import canonical
from featurestore.serving.part import Part
from featurestore.serving.reads import ColumnWise, Reads, RowWise
from featurestore.serving.vector import NO_VIEW, Shape, Vectors
from featurestore.storage.keys import counts_key, row_key, row_keys

Item = TypeVar("Item")
Stale = Sequence[Sequence[bool]]

CHOICES_KEPT = 256
NO_CLOCKS: Mapping[str, int] = {}
NONE_CHOSEN = "features must name at least one; leave it out for all of the service"


@dataclass(frozen=True)
class Plan:
    """How to answer a request for one service.

    Entities become row keys, rows become vectors; between the two the caller fetches the rows, so
    that the same plan serves over HTTP, in process and in tests.

    Attributes:
        service: The service.
        chosen: Which of its features, in which order; all of them as they stand if None.
    """

    service: FeatureService
    chosen: tuple[str, ...] | None = None

    @cached_property
    def places(self) -> list[Place]:
        """The vector, place by place."""
        if self.chosen is None:
            return self.service.places
        named = {place.name: place for place in self.service.places}
        return [named[name] for name in self.chosen]

    @cached_property
    def features(self) -> list[str]:
        """The names of the vector's places."""
        return [place.name for place in self.places]

    @cached_property
    def kinds(self) -> list[Kind]:
        """What each place holds."""
        return [place.kind for place in self.places]

    @cached_property
    def context(self) -> dict[str, Declared]:
        """What a request must bring along for the functions that are called."""
        return {name: each for f in self._functions for name, each in f.declared.items()}

    @cached_property
    def is_plain(self) -> bool:
        """Whether a request needs neither an event clock nor a context: most do not."""
        return not self.clocks and not self._functions

    @property
    def is_computed(self) -> bool:
        """Whether functions are called, so that `answer` needs a context."""
        return bool(self._functions)

    @cached_property
    def keys(self) -> dict[str, Kind]:
        """The keys every entity must have: those of the views that are read."""
        read = {key for part in self._parts for key in part.view.entity.keys}
        return {key: kind for key, kind in self.service.keys.items() if key in read}

    def select(self, features: Sequence[str]) -> "Plan":
        """Return the plan for some of the service's features, in the order named.

        Raises:
            BadFeature: One is not there, or stands twice.
            RequestError: There is none, or they are one text.

        Cost: some 100 µs at first; the last choices are remembered.
        """
        if isinstance(features, str):
            msg = f"features must be a list of names, got {features!r}"
            raise RequestError(msg)
        chosen = tuple(features)
        plan = self._selected.get(chosen)
        if plan is None:
            self._check(chosen)
            if len(self._selected) >= CHOICES_KEPT:
                self._selected.clear()
            plan = self._selected[chosen] = Plan(self.service, chosen)
        return plan

    def _check(self, chosen: Sequence[str]) -> None:
        if not chosen:
            raise RequestError(NONE_CHOSEN)
        for index, name in enumerate(chosen):
            if name not in self.features:
                what = f"there is no feature {name!r} in service {self.service.name!r}"
                raise BadFeature(index, f"{what} {has(self.features)}{hint(name, self.features)}")
            if name in chosen[:index]:
                raise BadFeature(index, f"{name!r} stands twice")

    @cached_property
    def _selected(self) -> "dict[tuple[str, ...], Plan]":
        return {}

    def row_keys(self, entities: Sequence[Mapping[str, object]]) -> list[bytes]:
        """Return the rows to fetch: for each entity one per view read, entity by entity.

        Raises:
            BadEntity: A key is missing or of the wrong type.

        Cost: 0.4 µs per row where entities have one key of text, else 3 µs.
        """
        return self._plain_keys(entities) or self._checked_keys(entities)

    def _plain_keys(self, entities: Sequence[Mapping[str, object]]) -> list[bytes]:
        """Return the rows of entities of one key of text each; nothing where one is another."""
        key = self._text_key
        if key is None:
            return []
        try:
            names = [t.encode() for entity in entities if type(t := entity[key]) is str]
        except (KeyError, UnicodeEncodeError):
            return []
        if len(names) < len(entities):
            return []
        if len(self._parts) == 1 and len(names) > 1:
            return row_keys(self._parts[0].tags, names)
        return [row_key(part.tags, name) for name in names for part in self._parts]

    @cached_property
    def _text_key(self) -> str | None:
        """The key, where each entity has but one and it is text."""
        (key, *others) = self.keys or [None]
        plain = key is not None and not others and self.keys[key] is Kind.TEXT
        return key if plain else None

    def _checked_keys(self, entities: Sequence[Mapping[str, object]]) -> list[bytes]:
        found = []
        for index, entity in enumerate(entities):
            values = self._key_values(index, entity)
            for part in self._parts:
                name = encode_key([values[key] for key in part.view.entity.keys])
                found.append(row_key(part.tags, name))
        return found

    @cached_property
    def clocks(self) -> dict[str, bytes]:
        """The streams whose newest event is some view's `now`, and where that is kept."""
        streams = [part.view.stream.name for part in self._parts if part.follows]
        return {stream: counts_key(stream) for stream in streams}

    def answer(
        self,
        rows: Sequence[bytes | None],
        now_us: int,
        clocks: Mapping[str, int] = NO_CLOCKS,
        context: Context | None = None,
        *,
        as_columns: bool = False,
    ) -> Vectors:
        """Return the vectors as of a moment.

        Args:
            rows: What was found under `row_keys`, None where nothing was.
            now_us: The moment, in microseconds UTC.
            clocks: The moment for views with an event clock, by stream.
            context: What on-demand functions are given; must be there if any is called.
            as_columns: Whether they are wanted column by column.

        Raises:
            OnDemandFailed: A function raised, or gave something else than it promised.

        Cost: some 5 µs for one entity; 1-5 µs per row more where `cutting` reads it, 20 µs for a
        short one where it does not, and 5 µs where there are many.
        """
        if as_columns or len(rows) >= self._many_rows:
            reads, stale = self._column_wise(rows, self._moments(now_us, clocks))
        elif self._is_simple:
            read = self._parts[0].reader.read(rows, now_us)
            reads, stale = RowWise([v for v, _ in read], [t for _, t in read]), ()
        else:
            reads, stale = self._row_wise(rows, self._moments(now_us, clocks))
        if context is not None:
            reads = self._computing.vectors(reads, context)
        return Vectors(self.shape, reads, rows, stale, clocks, now_us, self)

    def exact(
        self,
        entities: int,
        rows: Sequence[bytes | None],
        now_us: int,
        clocks: Mapping[str, int] = NO_CLOCKS,
    ) -> list[list[bool]]:
        """Tell of each value of so many entities, of these rows, whether it is exact."""
        return self._judging.exact(entities, rows, self._moments(now_us, clocks))

    def _moments(self, now_us: int, clocks: Mapping[str, int]) -> list[int]:
        """Return what `now` is, view by view."""
        if not clocks:
            return [now_us] * len(self._parts)
        return [
            clocks.get(part.view.stream.name, now_us) if part.follows else now_us
            for part in self._parts
        ]

    def _row_wise(
        self, rows: Sequence[bytes | None], moments: Sequence[int]
    ) -> tuple[Reads, Stale]:
        step = len(self._parts)
        pairs = enumerate(zip(self._parts, moments, strict=True))
        reads = [part.reader.read(rows[n::step], at) for n, (part, at) in pairs]
        stale = self._judge(rows, reads) if self._ages else ()
        entities = list(zip(*reads, strict=True))
        values = [self._vector([values for values, _ in entity]) for entity in entities]
        return RowWise(values, [self._vector([t for _, t in entity]) for entity in entities]), stale

    def _column_wise(
        self, rows: Sequence[bytes | None], moments: Sequence[int]
    ) -> tuple[Reads, Stale]:
        step, stale = len(self._parts), []
        values, times = [], []
        for number, (part, at) in enumerate(zip(self._parts, moments, strict=True)):
            mine = rows[number::step]
            columns, newest = part.reader.columns(mine, at)
            old = [False] * len(mine)
            if part.ages:
                columns, newest, old = part.fresh_columns(mine, columns, newest)
            values.append(columns)
            times.append(newest)
            stale.append(old)
        reads = ColumnWise(self._vector(values), self._vector(times))
        return reads, stale if self._ages else ()

    def _judge(self, rows: Sequence[bytes | None], reads: list[list[Read]]) -> Stale:
        """Take the values of stale rows out of what was read; tell which those are."""
        step, stale = len(self._parts), []
        for number, part in enumerate(self._parts):
            if part.ages:
                reads[number], old = part.fresh(rows[number::step], reads[number])
            else:
                old = [False] * len(reads[number])
            stale.append(old)
        return stale

    @cached_property
    def _is_simple(self) -> bool:
        """Whether one view gives the vector as it stands; most services are so."""
        return len(self._parts) == 1 and self._order is None and self.is_plain and not self._ages

    @cached_property
    def _many_rows(self) -> int:
        """From how many rows on they are read column by column, whatever is asked for."""
        return min((part.reader.many for part in self._parts), default=1) * len(self._parts)

    @cached_property
    def _ages(self) -> bool:
        return any(part.ages for part in self._parts)

    @cached_property
    def shape(self) -> Shape:
        """What the places of the vector hold."""
        numbers = {id(part.view): number for number, part in enumerate(self._parts)}
        views = [numbers[id(p.view)] if isinstance(p, Served) else NO_VIEW for p in self.places]
        fills = self.service.fills
        known = any(name in fills for name in self.features)
        chosen = [*map(fills.get, self.features)] if known else ()
        sizes = [place.size for place in self.places]
        return Shape(self.features, self.kinds, views, chosen, sizes)

    def _vector(self, parts: Sequence[list[Item]]) -> list[Item]:
        """Join what each view contributes, and put it into the order of the service."""
        joined = parts[0] if len(parts) == 1 else [item for part in parts for item in part]
        return [joined[place] for place in self._order] if self._order is not None else joined

    @cached_property
    def _order(self) -> list[int] | None:
        """For each feature that is read where it stands view by view; None if just there."""
        places = [place for part in self._parts for place in part.places]
        by_view = [places.index(place) for place in range(len(places))]
        return None if by_view == sorted(by_view) else by_view

    def _key_values(self, index: int, entity: Mapping[str, object]) -> dict[str, object]:
        values = {}
        for key, kind in self.keys.items():
            if key not in entity:
                given = sorted(str(name) for name in entity)
                raise BadEntity(index, f"key {key!r} ({kind.value}) is missing {has(given)}")
            try:
                values[key] = canonical(entity[key], kind)
            except ValueError as error:
                raise BadEntity(index, f"key {key!r} {error}") from error
        return values

    @cached_property
    def _functions(self) -> list[OnDemand]:
        return list({id(p.by): p.by for p in self.places if isinstance(p, Computed)}.values())

    @cached_property
    def _computing(self) -> Computing:
        return Computing.of(self.places, self._read)

    @cached_property
    def _judging(self) -> Judging:
        return Judging.of(self._parts, self.places, self._read)

    @cached_property
    def _read(self) -> list[Served]:
        """The features that are read: those of the vector, then what functions need besides."""
        served = [place for place in self.places if isinstance(place, Served)]
        known = {place_key(each) for each in served}
        needed = [each for function in self._functions for each in function.needs]
        more = {place_key(each): each for each in needed if place_key(each) not in known}
        return [*served, *more.values()]

    @cached_property
    def _parts(self) -> list[Part]:
        views = {id(served.view) for served in self._read}
        return [Part.of(view, self._read) for view in self.service.views if id(view) in views]
