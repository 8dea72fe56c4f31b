"""A measure as `check` shows it: closer to how it was written than what names a version."""

from featurestore.definitions.contract import Kind, type_text
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Measure, Parameter
from featurestore.definitions.view import Feature
from featurestore.instants import duration_text


def measure_text(measure: Measure) -> str:
    """Write a measure for people.

    >>> from featurestore import column, count, decayed_total, quantile, rate, ratio, total
    >>> declined = column("status") == "declined"
    >>> print(measure_text(count(where=declined)), measure_text(total("euros", where=~declined)))
    count(where status == 'declined') total(euros where not (status == 'declined'))
    >>> print(measure_text(ratio(rate(per="1m"), count())), measure_text(quantile("euros", 0.9)))
    ratio(rate(per=1m), count()) quantile(euros, q=0.9)
    >>> print(measure_text(decayed_total("euros", half_life="1h")))
    decayed_total(euros, half_life=1h)
    """
    words = [measure_text(part) for part in measure.parts]
    words += [_input(expression) for expression in measure.inputs]
    words += [_parameter(name, value) for name, value in measure.parameters]
    return f"{measure.aggregation}({', '.join(words)})"


def kind_text(feature: Feature) -> str:
    """Write what the values of a feature are."""
    items = f" of {feature.items.value}" if feature.items is not None else ""
    if feature.kind is Kind.LIST:
        return f"list{items}"
    if feature.kind is Kind.MAP:
        return f"map{items} to int"
    return type_text(feature.kind, feature.size)


def _input(expression: Expression) -> str:
    if expression.operator != "if":
        return _bare(expression)
    condition, value = map(str, expression.operands)
    chosen = f"where {_unbracketed(condition)}"
    return chosen if value == condition else f"{_unbracketed(value)} {chosen}"


def _bare(expression: object) -> str:
    return _unbracketed(str(expression))


def _unbracketed(text: str) -> str:
    """Leave out brackets around the whole.

    >>> _unbracketed("(status == 'declined')"), _unbracketed("(a + b) * (c + d)")
    ("status == 'declined'", '(a + b) * (c + d)')
    """
    inner = text[1:-1]
    whole = text.startswith("(") and text.endswith(")") and "(" not in inner and ")" not in inner
    return inner if whole else text


def _parameter(name: str, value: Parameter) -> str:
    if name.endswith("_us") and isinstance(value, int):
        return f"{name.removesuffix('_us')}={duration_text(value)}"
    if isinstance(value, tuple):
        numbers = [f"{number:g}" for number in value]
        return f"{name}={numbers[0] if len(numbers) == 1 else '[' + ', '.join(numbers) + ']'}"
    return f"{name}={value}"
