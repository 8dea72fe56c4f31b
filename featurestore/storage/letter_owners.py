"""Letter owners: which entity a dead letter is about.

An event that keeps its contract is shaped as the flow would, transforms and derived columns
included. Of one that does not, whatever can be read is: so a key that is made of readable fields is
found, too. Where a key cannot be told, nobody can say whom the letter is about: no guess is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.aggregation.entity_keys import encode_key
from featurestore.contracts.alone import alone, value_alone
from featurestore.contracts.block import Documents
from featurestore.contracts.decoder import Decoder
from featurestore.contracts.piece import Piece
from featurestore.contracts.readable import field_of, readable
from featurestore.contracts.reference_table import NO_REFERENCES
from featurestore.contracts.shaping import Shaping
from featurestore.contracts.verdict import Judge
from featurestore.definitions.contract import contract_columns
from featurestore.definitions.stream import Stream

Keys = dict[int, Mapping[str, Any]]  # by letter: what is known of its keys


@dataclass(frozen=True)
class LetterOwners:
    """Tells whether dead letters of a stream are about an entity.

    Attributes:
        stream: The stream.
        keys: The columns that name the entity.
    """

    stream: Stream
    keys: Sequence[str]

    def about(self, letters: Sequence[bytes], values: Mapping[str, object]) -> list[bool | None]:
        """Tell of each letter whether it is about an entity; None where that cannot be told.

        Args:
            letters: The events as they were sent.
            values: The entity's keys, as their columns hold them.

        Cost: some 10 µs a letter.
        """
        events = [_parsed(letter) for letter in letters]
        kept, broken = self._kept(letters), self._broken(letters, events)
        found: list[bool | None] = []
        for place, (letter, event) in enumerate(zip(letters, events, strict=True)):
            each = [
                self._is_one(name, kept[place], value)
                if place in kept and name in kept[place]
                else self._may_be(name, broken.get(place, {}), letter, event, value)
                for name, value in values.items()
            ]
            found.append(False if False in each else None if None in each else True)
        return found

    def _is_one(self, name: str, known: Mapping[str, Any], value: object) -> bool:
        """Tell whether an event that keeps its contract has a key."""
        return known[name] is not None and _text(known[name]) == _text(value)

    def _may_be(
        self, name: str, known: Mapping[str, Any], letter: bytes, event: object, value: object
    ) -> bool | None:
        """Tell whether an event that does not keep it has a key."""
        if known.get(name) is not None:
            return _text(known[name]) == _text(value)
        if event is None:
            found = _text(value).encode() in letter
        else:
            sent = field_of(event, self.stream.columns[name])
            found = sent is not None and _text(sent) == _text(value)
        if found:
            return True
        return None if name in self._made else False

    @cached_property
    def _made(self) -> set[str]:
        """The keys that are not what stands in an event."""
        contract = contract_columns(self.stream.contract)
        return {name for name in self.keys if self.stream.transforms or name not in contract}

    @cached_property
    def _whole(self) -> Stream:
        """The stream with its filter left out: what was rejected need not pass it."""
        return replace(self.stream, where=None)

    @cached_property
    def _columns(self) -> list[str]:
        """The keys that can be worked out here: not those that are looked up in tables."""
        looked_up = {name for made in self.stream.enrich for name in made.columns}
        return [
            name
            for name in self.keys
            if not looked_up & {column.name for column in Shaping(self._whole, [name]).wanted}
        ]

    @cached_property
    def _alone(self) -> dict[str, Judge]:
        """What judges the columns that keys are made of, each for itself."""
        contract = self.stream.contract
        return {c.name: alone(contract, c) for c in Shaping(self._whole, self._columns).read}

    def _kept(self, letters: Sequence[bytes]) -> Keys:
        """Return the keys of the events that keep their contract."""
        decoder = Decoder(self._whole, self._columns)
        decoded = decoder.decode(Documents(list(letters), range(len(letters))))
        columns = dict(zip(decoded.events.schema.names, decoded.events.columns, strict=True))
        return self._keys_of(Piece(decoded.offsets, columns))

    def _broken(self, letters: Sequence[bytes], events: Sequence[object]) -> Keys:
        """Return what can be told of the keys of all events."""
        columns = contract_columns(self.stream.contract)
        found = readable(events, columns.values())
        right = {
            name: pa.array([value_alone(judge, one) for one in letters], columns[name].arrow_type)
            for name, judge in self._alone.items()
        }
        either = {name: pc.coalesce(right[name], found.columns[name]) for name in right}
        piece = Piece(found.places, {**found.columns, **either})
        return self._keys_of(Shaping(self._whole, self._columns).shape(piece, NO_REFERENCES).kept)

    def _keys_of(self, piece: Piece) -> Keys:
        columns = {name: piece.columns[name].to_pylist() for name in self._columns}
        places = enumerate(piece.places.tolist())
        return {
            place: {name: values[number] for name, values in columns.items()}
            for number, place in places
        }


def _parsed(letter: bytes) -> object:
    """Return an event as JSON has it; None for one that is none."""
    try:
        return orjson.loads(letter)
    except orjson.JSONDecodeError:
        return None


def _text(value: object) -> str:
    """Write a key alike, whether its JSON says 7 or "7"."""
    return encode_key([value]).decode()
