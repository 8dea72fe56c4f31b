"""Columns used: what expressions are computed of, and so what must be read."""

from featurestore.definitions.expression import Expression, as_expression


def columns_of(*expressions: Expression | str | None) -> set[str]:
    """Return the columns that some expressions use; a bare name uses its column, None uses none.

    >>> from featurestore.definitions.expression import column
    >>> sorted(columns_of(column("amount") / column("fee"), "card_id", None))
    ['amount', 'card_id', 'fee']
    """
    given = [as_expression(each) for each in expressions if each is not None]
    return {name for expression in given for name in expression.columns()}
