"""Transforms: functions of a user's own over whole batches of events.

1. A transform gets the columns of the contract (typed as `Column.arrow_type`) in a record batch, or
   what the transform before it made of them, and returns a record batch (or a table).
2. Row i out is row i in: it may add, replace, rename and drop columns, not rows. So each event
   keeps its place in the source, by which it counts once. `Stream.where` leaves events out.
3. What it makes of an event must depend on nothing but that event: events come in other batches
   when they are read again.
4. It is tried on no events at all when it is defined; the columns it gives then are those it must
   always give.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from featurestore.definitions.contract import Column, kind_of, vector_size
from featurestore.definitions.foreign import Foreign

Transform: TypeAlias = Callable[[pa.RecordBatch], pa.RecordBatch]


def name_of(transform: object) -> str:
    """Return what a transform is called."""
    return str(getattr(transform, "__name__", type(transform).__name__))


def transformed(
    columns: Mapping[str, Column], transforms: Sequence[Transform]
) -> dict[str, Column] | str:
    """Return the columns after transforms, or what is wrong with one.

    >>> from featurestore.definitions.contract import Kind
    >>> def in_euros(payments):
    ...     return payments.rename_columns(["euros"])
    >>> cents = {"cents": Column("cents", Kind.INT, nullable=False, path=("cents",))}
    >>> transformed(cents, [in_euros])
    {'euros': Column(name='euros', kind=<Kind.INT: 'int'>, nullable=True, path=(), size=0)}
    >>> transformed(cents, [len])
    'transform len gave int, but must give a pyarrow.RecordBatch'
    """
    batch = pa.RecordBatch.from_pydict(
        {name: pa.array([], column.arrow_type) for name, column in columns.items()}
    )
    for transform in transforms:
        done = applied(transform, batch)
        if isinstance(done, str):
            return done
        batch = done
    return _columns(batch, columns)


def applied(transform: Transform, batch: pa.RecordBatch) -> pa.RecordBatch | str:
    """Return what a transform makes of a batch, or what is wrong with that."""
    name = name_of(transform)
    given: Any = None
    with Foreign() as code:
        given = transform(batch)
    if code.failure is not None:
        return f"transform {name} raised {code.said}"
    if isinstance(given, pa.Table):
        given = _in_one_piece(given)
    if not isinstance(given, pa.RecordBatch):
        return f"transform {name} gave {type(given).__name__}, but must give a pyarrow.RecordBatch"
    names = given.schema.names
    if len(set(names)) < len(names):
        return f"transform {name} gave two columns of one name: {', '.join(names)}"
    if given.num_rows != batch.num_rows:
        return (
            f"transform {name} gave {given.num_rows} rows for {batch.num_rows}; it must keep each: "
            "leave events out with Stream(where=...)"
        )
    return given


def fingerprint(transform: Transform) -> str:
    """Return what a transform does, as text: its source without comments and layout.

    What it calls is not in it. A function without a source (typed into a console) is known by name.
    """
    try:
        source = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(transform))))
    except (OSError, TypeError, SyntaxError):
        source = ""
    return f"{name_of(transform)}: {source}"


def _in_one_piece(table: pa.Table) -> pa.RecordBatch:
    columns = [column.combine_chunks() for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, names=table.schema.names)


def _columns(batch: pa.RecordBatch, before: Mapping[str, Column]) -> dict[str, Column] | str:
    columns: dict[str, Column] = {}
    for field in batch.schema:
        known = before.get(field.name)
        untyped = known is not None and pa.types.is_null(field.type)  # pandas knows no other
        kind = known.kind if known is not None and untyped else kind_of(field.type)
        if kind is None:
            to = " to pa.list_(pa.float64(), n)" if pa.types.is_list(field.type) else ""
            return (
                f"column {field.name!r} is {field.type} after transforms, which no feature can "
                f"hold; cast it{to}, or drop it"
            )
        path = known.path if known is not None and known.kind is kind else ()
        size = known.size if known is not None and untyped else vector_size(field.type)
        columns[field.name] = Column(field.name, kind, nullable=True, path=path, size=size)
    return columns
