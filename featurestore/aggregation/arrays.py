"""How values stand in arrays inside the aggregation: 64-bit words, missing ones as sentinels.

==========  ======================  ==================
kind        array                   missing
==========  ======================  ==================
float       float64                 NaN
int, date   int64                   `NULL`, -2**63
datetime    int64, microseconds     `NULL`
bool        int64, 0 or 1           `NULL`
str         int64, a code           `NULL`
vector      float64, a row each     a row of NaN
==========  ======================  ==================

A text's code is its rank among the `words` of the batch at hand, so that codes compare like the
UTF-8 bytes they stand for. Contracts keep real NaN, infinities and -2**63 out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.definitions.contract import ARROW_TYPES, Kind

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Values: TypeAlias = Ints | Floats
BytesArray: TypeAlias = Any  # pa.LargeBinaryArray, of which the stubs know too little

NULL = np.int64(-(2**63))
LARGEST = np.int64(2**63 - 1)
_MATRIX = 2  # dimensions


@dataclass(frozen=True, slots=True)
class Ragged:
    """Lists of 64-bit numbers, one per record, laid end to end.

    Attributes:
        lengths: How many numbers each record has.
        numbers: All of them, record by record: hashes, or values as in the table above.
    """

    lengths: Ints
    numbers: npt.NDArray[np.uint64] | Values

    def owners(self) -> Ints:
        """Return for each number the record it belongs to.

        >>> Ragged(np.array([2, 0, 1]), np.array([7, 8, 9], np.uint64)).owners()
        array([0, 0, 2])
        """
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def take(self, records: Ints) -> "Ragged":
        """Return the lists of some records, in the order asked."""
        lengths = self.lengths[records]
        begins = (np.cumsum(self.lengths) - self.lengths)[records]
        ends = np.cumsum(lengths)
        within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        return Ragged(lengths, self.numbers[np.repeat(begins, lengths) + within])


def missing(values: Values) -> npt.NDArray[np.bool_]:
    """Tell which values are missing; of vectors, which rows.

    >>> missing(np.array([1.0, np.nan])).tolist(), missing(np.array([NULL, 3])).tolist()
    ([False, True], [True, False])
    >>> missing(np.array([[1.0, 2.0], [np.nan, np.nan]])).tolist()
    [False, True]
    """
    if values.ndim == _MATRIX:
        values = values[:, 0]
    return np.isnan(values) if values.dtype == np.float64 else values == NULL


def as_floats(values: Values) -> Floats:
    """Return numbers as floats, infinite where they are missing because they left 64 bits.

    >>> as_floats(np.array([5, NULL]))
    array([ 5., inf])
    """
    floats: Floats = values.astype(np.float64, copy=False)
    return floats if values.dtype == np.float64 else np.where(values == NULL, np.inf, floats)


def empty_like(values: Values, size: int) -> Values:
    """Return `size` missing values of the same type."""
    if values.dtype == np.float64:
        return np.full(size, np.nan)
    return np.full(size, NULL)


def from_arrow(array: Any, kind: Kind) -> Values:
    """Return a column of numbers, booleans, dates or instants as a numpy array.

    >>> from_arrow(pa.array([True, None]), Kind.BOOL).tolist()
    [1, -9223372036854775808]
    >>> from_arrow(pa.array([1.5, None]), Kind.FLOAT).tolist()
    [1.5, nan]
    """
    if kind is Kind.VECTOR:
        return _vectors(array)
    if kind is Kind.FLOAT:
        floats: Floats = np.asarray(pc.fill_null(pc.cast(array, pa.float64()), np.nan))
        return floats
    if kind is Kind.DATE:
        array = pc.cast(pc.cast(array, pa.date32()), pa.int32())
    if kind is Kind.DATETIME:
        array = pc.cast(array, pa.timestamp("us", tz="UTC"))
    ints = pc.cast(array, pa.int64())
    words: Ints = np.asarray(pc.fill_null(ints, int(NULL)) if ints.null_count else ints)
    return words


def _vectors(array: Any) -> Floats:
    there: Floats = np.asarray(array.flatten()).reshape(-1, array.type.list_size)
    if not array.null_count:
        return there
    vectors = np.full((len(array), there.shape[1]), np.nan)
    vectors[np.asarray(array.is_valid())] = there
    return vectors


def to_arrow(values: Values, kind: Kind, words: Sequence[bytes] = ()) -> Any:
    """Return a column as an Arrow array: the inverse of `from_arrow` and of `codes_of`.

    >>> to_arrow(np.array([1, NULL]), Kind.BOOL).to_pylist()
    [True, None]
    >>> to_arrow(np.array([1, NULL, 0]), Kind.TEXT, [b"a", b"b"]).to_pylist()
    ['b', None, 'a']
    """
    absent = missing(values)
    if kind is Kind.TEXT:
        texts = pc.cast(pa.array(words, pa.large_binary()), pa.string())
        return texts.take(pa.array(np.where(absent, 0, values), pa.int64(), mask=absent))
    if kind is Kind.BOOL:
        return pa.array(values != 0, pa.bool_(), mask=absent)
    plain = pa.array(values, mask=absent)
    days = pc.cast(plain, pa.int32()) if kind is Kind.DATE else plain
    return pc.cast(days, ARROW_TYPES[kind])


def bytes_array(offsets: Ints, data: Any, valid: Any = None) -> BytesArray:
    """Return an Arrow array of bytes over data that stands already end to end.

    Args:
        offsets: Where each value starts, and where the last one ends.
        data: A buffer that holds the values.
        valid: A bitmap of those that are not missing; none are without it.

    >>> bytes_array(np.array([0, 1, 3]), b"abc").to_pylist()
    [b'a', b'bc']
    """
    bitmap = None if valid is None else pa.py_buffer(valid)
    places = pa.py_buffer(np.ascontiguousarray(offsets, dtype=np.int64).data)
    buffers = [bitmap, places, pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)


def codes_of(columns: list[Any]) -> tuple[list[Ints], list[bytes]]:
    """Return columns of text as codes, and the words that the codes are ranks in.

    Args:
        columns: Arrow arrays of strings or bytes; they share the words.

    >>> codes, words = codes_of([pa.array(["b", None]), pa.array(["a", "b"])])
    >>> [c.tolist() for c in codes], words
    ([[1, -9223372036854775808], [0, 1]], [b'a', b'b'])
    """
    together = pa.chunked_array([pc.cast(c, pa.large_binary()) for c in columns], pa.large_binary())
    encoded = together.combine_chunks().dictionary_encode()
    words: list[Any] = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=lambda place: words[place])
    ranks = np.empty(len(words) + 1, dtype=np.int64)
    ranks[order] = np.arange(len(words))
    ranks[len(words)] = NULL
    indices: Any = pc.cast(encoded.indices, pa.int64())
    found: Ints = np.asarray(pc.fill_null(indices, len(words)))
    bounds = np.cumsum([len(column) for column in columns])[:-1]
    return np.split(ranks[found], bounds), [words[i] for i in order]
