"""Records: columns of events or of tiles, with the row each belongs to."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from featurestore.aggregation.accumulators import Distinct, State, Wire
from featurestore.aggregation.arrays import NULL, Ints, Ragged, Values
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.layout import AT, SIGN, Layout

Words = tuple[bytes, ...]
_WORD_BITS = 63  # without the sign


@dataclass(frozen=True, slots=True)
class Records:
    """Some events or some tiles.

    Attributes:
        rows: For each record the row it belongs to.
        state: Its columns: those of `Layout.point_fields` or of `Layout.tile_fields`.
        words: What the codes of its text columns stand for; see `arrays`.
    """

    rows: Ints
    state: State
    words: Words

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, records: Ints) -> "Records":
        """Return some records, in the order asked."""
        state: State = {
            name: column.take(records) if isinstance(column, Ragged) else column[records]
            for name, column in self.state.items()
        }
        return Records(self.rows[records], state, self.words)

    def column(self, name: str) -> Values:
        """Return a column of plain values."""
        values = self.state[name]
        assert isinstance(values, np.ndarray)
        return values


def in_order(rows: Ints, last: Ints, first: Ints) -> Ints:
    """Return the order of records by row, then by their last and by their first event; stable.

    Cost: 30 ns per record that stands among others in order, ten times that if not.

    >>> in_order(np.array([1, 0, 0]), np.array([5, 9, 7]), np.array([5, 9, 7]))
    array([2, 1, 0])
    """
    low, high = (last.min(), last.max()) if len(last) else (0, 0)
    bits = int(high - low).bit_length()
    if bits + int(rows.max(initial=0)).bit_length() < _WORD_BITS:
        key = rows << bits | last - low  # one key: what stands in order is not sorted again
        order = np.argsort(key, kind="stable")
        tied = np.diff(key[order]) == 0
        if not (tied & (np.diff(first[order]) < 0)).any():
            return order
    return np.lexsort((first, last, rows))


def lifted(layout: Layout, points: Records) -> Records:
    """Return events as tiles of one event each."""
    at = points.column(AT).astype(np.int64, copy=False)
    signs = points.column(SIGN) if layout.is_signed else np.ones(len(points), dtype=np.int64)
    state: State = {"first": at, "last": at, "n": signs}
    for accumulator in layout.accumulators:
        columns = [points.column(of.name) for of in accumulator.inputs]
        if isinstance(accumulator, Distinct) and accumulator.of.wire is Wire.TEXT:
            columns = [_identities(columns[0], points.words)]
        lifted_state = accumulator.lift(at, columns)
        state |= _signed(lifted_state, signs) if layout.is_signed else lifted_state
    return Records(points.rows, state, points.words)


def _signed(state: State, signs: Values) -> State:
    """Return sums with their signs."""
    return {
        name: column * (signs if column.ndim == 1 else signs[:, None])
        for name, column in state.items()
        if isinstance(column, np.ndarray)
    }


def joined(first: Records, second: Records) -> Records:
    """Return the records of both, which have the same columns and the same words."""
    state: State = {}
    for name, column in first.state.items():
        other = second.state[name]
        if isinstance(column, Ragged) and isinstance(other, Ragged):
            state[name] = Ragged(
                np.concatenate([column.lengths, other.lengths]),
                np.concatenate([column.numbers, other.numbers]),
            )
        elif isinstance(column, np.ndarray) and isinstance(other, np.ndarray):
            state[name] = np.concatenate([column, other])
    return Records(np.concatenate([first.rows, second.rows]), state, first.words)


@np.errstate(over="ignore", invalid="ignore")  # what leaves the range of floats is infinite then
def merged(layout: Layout, tiles: Records, groups: Groups) -> Records:
    """Return one tile per group; the tiles of a group are sorted by time.

    Cost: some ten numpy calls for each accumulator, and about 10 ns per record and accumulator.
    """
    state: State = {
        "first": groups.smallest(tiles.column("first")),
        "last": groups.largest(tiles.column("last")),
        "n": groups.total(tiles.column("n")),
    }
    for accumulator in layout.accumulators:
        state |= accumulator.merge(tiles.state, groups, state)
    return Records(tiles.rows[groups.starts], state, tiles.words)


def _identities(codes: Values, words: Words) -> Ints:
    """Return 64 bits of each text that do not depend on the batch it stands in."""
    digests = b"".join(blake2b(word, digest_size=8).digest() for word in words)
    known = np.append(np.frombuffer(digests, dtype=np.int64), NULL)
    known[:-1][known[:-1] == NULL] = 0
    identities: Ints = known[np.where(codes == NULL, len(words), codes).astype(np.int64)]
    return identities
