"""``featurestore inspect``: what a row holds, for people."""

from collections.abc import Mapping, Sequence
from typing import cast

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from featurestore.aggregation.accumulators import StateField, Wire
from featurestore.aggregation.arrays import Ragged, missing
from featurestore.aggregation.entity_keys import encode_key
from featurestore.aggregation.frames import decode
from featurestore.aggregation.layout import AT, Layout
from featurestore.aggregation.records import Records
from featurestore.cli.get import key_values
from featurestore.cli.options import definitions, redis_option
from featurestore.definitions.catalog import load
from featurestore.definitions.view import FeatureView
from featurestore.errors import BadEntity, has, hint
from featurestore.instants import instant_text
from featurestore.storage.embedded import store_url
from featurestore.storage.keys import row_key, view_tag
from featurestore.storage.rows import Rows

_SHOWN = 4  # components of a vector
_INSTANTS = (AT, "first", "last")


@click.command()
@definitions
@click.argument("view")
@click.argument("keys", nargs=-1, metavar="KEY=VALUE...")
@redis_option
def inspect(definitions: str, view: str, keys: Sequence[str], *, redis: str | None) -> None:
    """Print the row of one entity in VIEW: its events and its tiles.

    \b
    Example:
      featurestore inspect features.py user_payments user_id=u1
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    of = load(definitions).view(view)
    kinds = {key: of.stream.columns[key].kind for key in of.entity.keys}
    values = key_values(keys, kinds)
    _refuse_other_keys(values, of)
    tags = [view_tag(of, shard) for shard in range(of.shards)]
    key = row_key(tags, encode_key([values[name] for name in of.entity.keys]))
    with store_url(redis) as url:
        (row,) = Rows(url).fetch([key])
    layout, console = Layout.of(of), Console()
    points, tiles = decode(layout, [row])
    held = "no row" if row is None else f"{len(row)} bytes"
    console.print(f"{key.decode(errors='replace')}: {held}", highlight=False, markup=False)
    for title, fields, records in (
        ("event", layout.point_fields, points),
        ("tile", layout.tile_fields, tiles),
    ):
        if len(records):
            console.print(_table(title, fields, records))


def _refuse_other_keys(values: Mapping[str, object], view: FeatureView) -> None:
    keys = view.entity.keys
    for key in values:
        if key not in keys:
            of = f"is none of view {view.name!r} {has(keys)}{hint(key, keys)}"
            raise BadEntity(0, f"key {key!r} {of}")
    for key in keys:
        if key not in values:
            raise BadEntity(0, f"key {key!r} is missing, as in {key}=VALUE")


def _table(title: str, fields: Sequence[StateField], records: Records) -> Table:
    many = "" if len(records) == 1 else "s"
    table = Table(title=f"{len(records)} {title}{many}", title_justify="left")
    fields = [field for field in fields if field.wire is not Wire.SIZES]
    for field in fields:
        table.add_column(field.name.removeprefix("@"), overflow="fold")
    columns = [_cells(field, records) for field in fields]
    for row in zip(*columns, strict=True):
        table.add_row(*map(escape, row))
    return table


def _cells(field: StateField, records: Records) -> list[str]:
    column = records.state[field.name]
    if isinstance(column, Ragged):
        return [f"{length} values" for length in column.lengths.tolist()]
    if field.wire is Wire.BYTES:
        return [f"{len(value)} bytes" for value in column.tolist()]
    absent, plain = missing(column).tolist(), column.tolist()
    return [
        "-" if none else _cell(field, value, records)
        for none, value in zip(absent, plain, strict=True)
    ]


def _vector(numbers: Sequence[float]) -> str:
    """Write a vector, a long one by how it begins.

    >>> _vector([1.0, 0.1 + 0.2]), _vector([0.5] * 8)
    ('[1, 0.3]', '[0.5, 0.5, 0.5, 0.5, …] of 8')
    """
    begin = ", ".join(f"{number:.6g}" for number in numbers[:_SHOWN])
    return f"[{begin}]" if len(numbers) <= _SHOWN else f"[{begin}, …] of {len(numbers)}"


def _cell(field: StateField, value: float, records: Records) -> str:
    if field.name in _INSTANTS or field.name.endswith("_at"):
        return instant_text(int(value))
    if field.wire is Wire.VECTOR:
        return _vector(cast("Sequence[float]", value))
    return records.words[int(value)].decode() if field.wire is Wire.TEXT else str(value)
