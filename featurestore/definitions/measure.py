"""A measure: what a window boils down to, as the user names it."""

from collections.abc import Mapping
from dataclasses import dataclass

from featurestore.definitions.aggregation import AGGREGATIONS, Aggregation, Kinds
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression, as_expression

Parameter = object


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregation of expressions.

    Attributes:
        aggregation: Which one, by its name in `AGGREGATIONS`.
        inputs: What it aggregates; none for counting events.
        parameters: Its parameters, by name.
        parts: Other measures that it is computed from.
        problems: What is wrong with it whatever the stream.
    """

    aggregation: str
    inputs: tuple[Expression, ...] = ()
    parameters: tuple[tuple[str, Parameter], ...] = ()
    parts: tuple["Measure", ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def of(self) -> Expression | None:
        """What it aggregates, the first of several; None without any."""
        return self.inputs[0] if self.inputs else None

    @property
    def rule(self) -> Aggregation:
        """The rules of its aggregation."""
        return AGGREGATIONS[self.aggregation]

    @property
    def is_invertible(self) -> bool:
        """Whether an event can be taken out again without looking at all the others.

        Not a standard deviation: the squares about a mean that nothing is left of are lost.
        """
        return self.rule.invertible and all(part.is_invertible for part in self.parts)

    def everything(self) -> "list[Measure]":
        """The measure and all it is computed from."""
        return [self, *(each for part in self.parts for each in part.everything())]

    def problem(self, kinds: Kinds) -> str | None:
        """Say why it cannot aggregate columns of these kinds, or None.

        >>> from featurestore.definitions.aggregations.summing import total
        >>> from featurestore.definitions.contract import Kind
        >>> total("name").problem([Kind.TEXT])
        'total needs numbers, but name is str; count, first, last, minimum, maximum take any value'
        """
        if Kind.VECTOR in kinds and not self.rule.vectors:
            others = ", ".join(name for name, rule in AGGREGATIONS.items() if rule.vectors)
            vector = self.inputs[list(kinds).index(Kind.VECTOR)]
            return f"{self.aggregation} takes no vectors, and {vector} is one; {others} do"
        for place in self.rule.numbers:
            if place < len(kinds) and not (kinds[place].is_number or kinds[place] is Kind.VECTOR):
                return (
                    f"{self.aggregation} needs numbers, but {self.inputs[place]} is "
                    f"{kinds[place].value}; count, first, last, minimum, maximum take any value"
                )
        return None

    def __getitem__(self, parameter: str) -> Parameter:
        """Return a parameter."""
        return dict(self.parameters)[parameter]

    def __str__(self) -> str:
        """Write it as a user would."""
        words = [str(each) for each in (*self.parts, *self.inputs)]
        words += [f"{name}={value}" for name, value in self.parameters]
        return f"{self.aggregation}({', '.join(words)})"


def measure(
    aggregation: str,
    *inputs: Expression | str,
    where: Expression | str | None = None,
    parameters: Mapping[str, Parameter] | None = None,
    problems: tuple[str, ...] = (),
) -> Measure:
    """Make a measure of columns or expressions, where `where` is true."""
    of = tuple(as_expression(each) for each in inputs)
    if where is not None:
        condition = as_expression(where)
        of = tuple(each.otherwise_null(condition) for each in of)
    return Measure(aggregation, of, tuple((parameters or {}).items()), problems=problems)


def out_of_range(name: str, value: object, least: int, most: int) -> tuple[str, ...]:
    """Say that a parameter is no whole number in its range.

    >>> out_of_range("n", 0, 1, 1000)
    ('n must be a whole number from 1 to 1000, got 0',)
    """
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return ()
    return (f"{name} must be a whole number from {least} to {most}, got {value!r}",)
