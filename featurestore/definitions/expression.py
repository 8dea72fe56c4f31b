"""Expressions over columns: what filters, derived columns and features are written in.

They are trees of names and operators, evaluated a whole column at a time. An expression has a
type only together with a stream's columns; evaluating it on no rows at all gives that type, so a
misspelt column or a sum of strings is found before any event is read.

Missing values stay missing: any operation on one gives none, a filter that is neither true nor
false keeps the event out, and a number that is not finite (a division by zero) is missing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

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
        result: Arrow = _finite(_OPERATORS[self.operator](*values))
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

    def fill_null(self, value: Scalar) -> "Expression":
        """The value, or `value` where there is none."""
        return Expression("fill_null", (self, value))

    def is_in(self, *values: Scalar) -> "Expression":
        """True where the value is one of `values`."""
        found = [self == value for value in values]
        some: Expression = found[0]
        for other in found[1:]:
            some = some | other
        return some

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


def as_expression(of: Expression | str) -> Expression:
    """Take a bare name as the column of that name."""
    return column(of) if isinstance(of, str) else of


_INFIX = frozenset({"==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "and", "or"})
_INSTANT = pa.timestamp("us", tz="UTC")


def _evaluate(operand: Expression | Scalar, columns: Columns) -> "Arrow | ArrowScalar":
    if isinstance(operand, Expression):
        return operand.evaluate(columns)
    if isinstance(operand, datetime):
        return pa.scalar(operand if operand.tzinfo else operand.isoformat() + "Z").cast(_INSTANT)
    return pa.scalar(operand)


def _divide(dividend: Any, divisor: Any) -> Any:
    return pc.divide(pc.cast(dividend, pa.float64()), pc.cast(divisor, pa.float64()))


def _subtract(left: Any, right: Any) -> Any:
    difference = pc.subtract(left, right)
    if pa.types.is_duration(difference.type):
        return pc.divide(pc.cast(pc.cast(difference, pa.int64()), pa.float64()), 1e6)
    return difference


def _add(left: Any, right: Any) -> Any:
    if pa.types.is_string(left.type) and pa.types.is_string(right.type):
        return pc.binary_join_element_wise(left, right, "")
    return pc.add(left, right)


def _finite(values: Any) -> Any:
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))


_OPERATORS: dict[str, Callable[..., Any]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "+": _add,
    "-": _subtract,
    "*": pc.multiply,
    "/": _divide,
    "and": pc.and_kleene,
    "or": pc.or_kleene,
    "not": pc.invert,
    "abs": pc.abs,
    "is_null": pc.is_null,
    "fill_null": pc.fill_null,
    "lower": pc.utf8_lower,
    "upper": pc.utf8_upper,
    "if": lambda condition, value: pc.if_else(condition, value, pa.scalar(None, value.type)),
}
