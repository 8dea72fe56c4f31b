"""Expressions over columns: what filters, derived columns and features are written in.

They are trees of names and operators, evaluated a whole column at a time. An expression has a
type only together with a stream's columns; evaluating it on no rows at all gives that type, so a
misspelt column or a sum of strings is found before any event is read.

Missing values stay missing: any operation on one gives none, a filter that is neither true nor
false keeps the event out, and a number that is not finite (a division by zero) or a whole one
beyond 64 bits is missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

import pyarrow as pa

from featurestore.definitions.operators import INSTANT, OPERATORS, TYPES, alike, finite

Scalar: TypeAlias = str | int | float | bool | datetime | date
Arrow: TypeAlias = "pa.Array[Any]"
ArrowScalar: TypeAlias = "pa.Scalar[Any]"
Columns: TypeAlias = Mapping[str, Arrow]


@dataclass(frozen=True, eq=False)
class Expression:
    """An operation over columns, evaluated for a whole block of events at once.

    Written with the operators of Python; ``&``, ``|`` and ``~`` for and, or, not.

    >>> amounts = {"amount": pa.array([5.0, None, 200.0]), "fee": pa.array([0.0, 1.0, 2.0])}
    >>> large = (column("amount") > 100) & ~(column("fee") == 0)
    >>> print(large)
    ((amount > 100) and not (fee == 0))
    >>> large.evaluate(amounts).to_pylist()
    [False, None, True]
    >>> (column("amount") / column("fee")).evaluate(amounts).to_pylist()
    [None, None, 100.0]
    """

    operator: str
    operands: "tuple[Expression | Scalar, ...]"

    def evaluate(self, columns: Columns) -> Arrow:
        """Return one value per event.

        Args:
            columns: Arrays of one length by name.

        Raises:
            KeyError: A column is not there.
            pyarrow.lib.ArrowException: The types do not go with the operator.
        """
        if self.operator == "column":
            return columns[str(self.operands[0])]
        values = [_evaluate(operand, columns) for operand in self.operands]
        if self.operator in _INFIX or self.operator in _CHOICES:
            values = alike(values)
        result: Arrow = finite(OPERATORS[self.operator](*values))
        return result

    def columns(self) -> Iterator[str]:
        """Name every column used."""
        if self.operator == "column":
            yield str(self.operands[0])
            return
        for operand in self.operands:
            if isinstance(operand, Expression):
                yield from operand.columns()

    def is_null(self) -> "Expression":
        """True where there is no value."""
        return Expression("is_null", (self,))

    def fill_null(self, value: "Expression | Scalar") -> "Expression":
        """The value, or `value` where there is none."""
        return Expression("fill_null", (self, value))

    def is_in(self, *values: Scalar) -> "Expression":
        """True where the value is one of `values`."""
        if not values:
            msg = f"is_in of {self} takes at least one value"
            raise TypeError(msg)
        found = [self == value for value in values]
        some: Expression = found[0]
        for other in found[1:]:
            some = some | other
        return some

    def map(self, values: Mapping[Any, Scalar]) -> "Expression":
        """The value that `values` has for it, none where it has none.

        >>> prices = {"amount": pa.array([2.0, 3.0]), "currency": pa.array(["USD", "JPY"])}
        >>> euros = column("amount") * column("currency").map({"EUR": 1.0, "USD": 0.5})
        >>> euros.evaluate(prices).to_pylist()
        [1.0, None]
        """
        return Expression("map", (self, *(word for pair in values.items() for word in pair)))

    def cast(self, kind: type) -> "Expression":
        """The value as an `int`, `float`, `bool`, `str` or `date`, none where it is not one.

        A float becomes an int without its fraction; an instant a date in UTC.

        >>> column("n").cast(int).evaluate({"n": pa.array(["12", " -3 ", "1.5", "x"])}).to_pylist()
        [12, -3, None, None]
        """
        return Expression("cast", (self, TYPES.get(kind, str(kind))))

    def round(self, digits: int = 0) -> "Expression":
        """The number rounded, half to even.

        >>> column("n").round(1).evaluate({"n": pa.array([0.25, 0.75, 2.0])}).to_pylist()
        [0.2, 0.8, 2.0]
        """
        return Expression("round", (self, digits))

    def floor(self) -> "Expression":
        """The largest whole number that is not above, as a float."""
        return Expression("floor", (self,))

    def ceil(self) -> "Expression":
        """The smallest whole number that is not below, as a float."""
        return Expression("ceil", (self,))

    def sqrt(self) -> "Expression":
        """The square root; none of a negative number."""
        return Expression("sqrt", (self,))

    def log(self) -> "Expression":
        """The natural logarithm; none of what is not above 0.

        >>> column("n").log().evaluate({"n": pa.array([1, 0, -1])}).to_pylist()
        [0.0, None, None]
        """
        return Expression("log", (self,))

    def log1p(self) -> "Expression":
        """The natural logarithm of one more than the number."""
        return Expression("log1p", (self,))

    def exp(self) -> "Expression":
        """The number e to this power; none where that is too large for a float."""
        return Expression("exp", (self,))

    def year(self, zone: str = "UTC") -> "Expression":
        """The year of an instant in a time zone."""
        return Expression("year", (self, zone))

    def month(self, zone: str = "UTC") -> "Expression":
        """The month of an instant in a time zone, 1 to 12."""
        return Expression("month", (self, zone))

    def day(self, zone: str = "UTC") -> "Expression":
        """The day of the month of an instant in a time zone, 1 to 31."""
        return Expression("day", (self, zone))

    def weekday(self, zone: str = "UTC") -> "Expression":
        """The day of the week of an instant in a time zone, 0 for Monday to 6."""
        return Expression("weekday", (self, zone))

    def hour(self, zone: str = "UTC") -> "Expression":
        """The hour of an instant by the clocks of a time zone, 0 to 23.

        >>> winter, summer = datetime(2026, 1, 1, 12), datetime(2026, 7, 1, 12)
        >>> at = pa.array([winter, summer]).cast(pa.timestamp("us", tz="UTC"))
        >>> column("at").hour("Europe/Paris").evaluate({"at": at}).to_pylist()
        [13, 14]
        """
        return Expression("hour", (self, zone))

    def minute(self, zone: str = "UTC") -> "Expression":
        """The minute of an instant by the clocks of a time zone, 0 to 59."""
        return Expression("minute", (self, zone))

    def date(self, zone: str = "UTC") -> "Expression":
        """The date of an instant in a time zone."""
        return Expression("date", (self, zone))

    def length(self) -> "Expression":
        """How many characters a text has."""
        return Expression("length", (self,))

    def startswith(self, start: str) -> "Expression":
        """True where a text starts with `start`."""
        return Expression("startswith", (self, start))

    def endswith(self, end: str) -> "Expression":
        """True where a text ends with `end`."""
        return Expression("endswith", (self, end))

    def contains(self, part: str) -> "Expression":
        """True where `part` stands in a text."""
        return Expression("contains", (self, part))

    def matches(self, pattern: str) -> "Expression":
        """True where a regular expression (RE2) is found anywhere in a text.

        >>> column("host").matches("^www[0-9]*[.]").evaluate(
        ...     {"host": pa.array(["www2.example.org", "example.org", None])}
        ... ).to_pylist()
        [True, False, None]
        """
        return Expression("matches", (self, pattern))

    def slice(self, start: int, stop: int) -> "Expression":
        """The characters of a text from `start` up to but not with `stop`."""
        return Expression("slice", (self, start, stop))

    def strip(self) -> "Expression":
        """Text without white space at its ends."""
        return Expression("strip", (self,))

    def lower(self) -> "Expression":
        """Text in lower case."""
        return Expression("lower", (self,))

    def upper(self) -> "Expression":
        """Text in upper case."""
        return Expression("upper", (self,))

    def otherwise_null(self, condition: "Expression") -> "Expression":
        """The value where `condition` is true, none elsewhere."""
        return Expression("if", (condition, self))

    def __str__(self) -> str:
        """Write it as a user would."""
        if self.operator == "column":
            return str(self.operands[0])
        words = [str(o) if isinstance(o, Expression) else repr(o) for o in self.operands]
        if self.operator == "not":
            return f"not {words[0]}"
        if self.operator in _INFIX:
            return f"({words[0]} {self.operator} {words[1]})"
        return f"{self.operator}({', '.join(words)})"

    def __bool__(self) -> bool:
        """Refuse ``and``, ``or``, ``not`` and chained comparisons, which cannot be columns.

        >>> bool(column("amount") > 0)
        Traceback (most recent call last):
          ...
        TypeError: (amount > 0) is a whole column, neither true nor false: use & | ~ for and, or...
        """
        msg = f"{self} is a whole column, neither true nor false: use & | ~ for and, or, not"
        raise TypeError(msg)

    __hash__ = object.__hash__

    def __eq__(self, other: "Expression | Scalar") -> "Expression":  # type: ignore[override]
        """True where both are the same."""
        return Expression("==", (self, other))

    def __ne__(self, other: "Expression | Scalar") -> "Expression":  # type: ignore[override]
        """True where they differ."""
        return Expression("!=", (self, other))

    def __lt__(self, other: "Expression | Scalar") -> "Expression":
        """True where this is less."""
        return Expression("<", (self, other))

    def __le__(self, other: "Expression | Scalar") -> "Expression":
        """True where this is less or the same."""
        return Expression("<=", (self, other))

    def __gt__(self, other: "Expression | Scalar") -> "Expression":
        """True where this is more."""
        return Expression(">", (self, other))

    def __ge__(self, other: "Expression | Scalar") -> "Expression":
        """True where this is more or the same."""
        return Expression(">=", (self, other))

    def __add__(self, other: "Expression | Scalar") -> "Expression":
        """The sum; text is joined."""
        return Expression("+", (self, other))

    def __radd__(self, other: Scalar) -> "Expression":
        """The sum; text is joined."""
        return Expression("+", (other, self))

    def __sub__(self, other: "Expression | Scalar") -> "Expression":
        """The difference; of two instants, in seconds."""
        return Expression("-", (self, other))

    def __rsub__(self, other: Scalar) -> "Expression":
        """The difference."""
        return Expression("-", (other, self))

    def __mul__(self, other: "Expression | Scalar") -> "Expression":
        """The product."""
        return Expression("*", (self, other))

    def __rmul__(self, other: Scalar) -> "Expression":
        """The product."""
        return Expression("*", (other, self))

    def __truediv__(self, other: "Expression | Scalar") -> "Expression":
        """The quotient as a float; none where the divisor is 0."""
        return Expression("/", (self, other))

    def __rtruediv__(self, other: Scalar) -> "Expression":
        """The quotient as a float; none where the divisor is 0."""
        return Expression("/", (other, self))

    def __and__(self, other: "Expression | Scalar") -> "Expression":
        """True where both are."""
        return Expression("and", (self, other))

    def __or__(self, other: "Expression | Scalar") -> "Expression":
        """True where one is, or both."""
        return Expression("or", (self, other))

    def __invert__(self) -> "Expression":
        """True where this is false."""
        return Expression("not", (self,))

    def __abs__(self) -> "Expression":
        """The size without the sign."""
        return Expression("abs", (self,))

    def __neg__(self) -> "Expression":
        """The number with the other sign."""
        return Expression("-", (0, self))


def column(name: str) -> Expression:
    """Name a column of the stream in an expression; a nested field by its dotted path.

    >>> print(column("card.country") == "FR")
    (card.country == 'FR')
    """
    return Expression("column", (name,))


def if_else(
    condition: Expression, value: Expression | Scalar, other: Expression | Scalar
) -> Expression:
    """`value` where `condition` is true, `other` where it is false, none where it is neither.

    >>> fee = if_else(column("amount") > 100, column("amount") * 0.01, 0.5)
    >>> fee.evaluate({"amount": pa.array([200.0, 50.0, None])}).to_pylist()
    [2.0, 0.5, None]
    """
    return Expression("if_else", (condition, value, other))


def coalesce(*values: Expression | Scalar) -> Expression:
    """The first of several that there is.

    >>> coalesce(column("nick"), column("name"), "nobody").evaluate(
    ...     {"nick": pa.array(["Al", None, None]), "name": pa.array(["Alan", "Ann", None])}
    ... ).to_pylist()
    ['Al', 'Ann', 'nobody']
    """
    return Expression("coalesce", values)


def least(*values: Expression | Scalar) -> Expression:
    """The smallest of several; none where one is missing.

    >>> least(column("a"), column("b"), 5).evaluate(
    ...     {"a": pa.array([1, 9, 2]), "b": pa.array([3, 8, None])}
    ... ).to_pylist()
    [1, 5, None]
    """
    return Expression("least", values)


def greatest(*values: Expression | Scalar) -> Expression:
    """The largest of several; none where one is missing."""
    return Expression("greatest", values)


def as_expression(of: Expression | str) -> Expression:
    """Take a bare name as the column of that name."""
    if not isinstance(of, Expression | str):
        msg = f"{of!r} is no column: name one, or write an expression over columns"
        raise TypeError(msg)
    return column(of) if isinstance(of, str) else of


COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_INFIX = COMPARISONS | {"+", "-", "*", "/", "and", "or"}
_CHOICES = frozenset({"coalesce", "greatest", "if_else", "least"})


def _evaluate(operand: Expression | Scalar, columns: Columns) -> "Arrow | ArrowScalar":
    if isinstance(operand, Expression):
        return operand.evaluate(columns)
    if isinstance(operand, datetime):
        return pa.scalar(operand if operand.tzinfo else operand.isoformat() + "Z").cast(INSTANT)
    return pa.scalar(operand)
