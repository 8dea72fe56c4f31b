"""What a look-up asks: from the body of a POST or the query of a GET, in the same shape."""

from urllib.parse import parse_qsl

import msgspec

from api.problems import Malformed
from featurestore.errors import BadContext, BadEntity, RequestError, has, hint
from featurestore.instants import parse_instant
from featurestore.serving.key_values import parsed
from featurestore.serving.plan import Plan

CONTEXT = "context."  # what parameters of a GET start with that are the context
INCLUDES = ("statuses", "event_times", "exact")

Entity = dict[str, object]
Context = dict[str, object]


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a POST."""

    entities: list[Entity]
    as_of: str | None = None
    include: list[str] = []
    features: list[str] | None = None
    context: Context | list[Context] | None = None


_BODY = msgspec.json.Decoder(Asked)


def of_body(body: bytes) -> Asked:
    """Understand the body of a POST.

    Raises:
        Malformed: It is no JSON.
        RequestError: It is of another shape.
    """
    try:
        return _BODY.decode(body)
    except msgspec.ValidationError as error:
        msg = (
            f'{error}; expected {{"entities": [{{key: value}}], "as_of"?: instant, '
            f'"include"?: [{", ".join(INCLUDES)}], "features"?: [name], '
            f'"context"?: {{name: value}}}}'
        )
        raise RequestError(msg) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"the body is no JSON: {error}"
        raise Malformed(msg) from error


def of_query(query: bytes, plan: Plan) -> Asked:
    """Understand the query string of a GET.

    Keys, ``as_of``, ``include``, ``features``, and ``context.…`` for what functions need.

    Raises:
        RequestError: There is no such parameter, or its value is of the wrong type.
    """
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        msg = f"the query is no text in percent-encoded UTF-8: {error}"
        raise RequestError(msg) from error
    entity: Entity = {}
    context: Context = {}
    asked = Asked([entity], context=context)
    for name, text in pairs:
        if name in plan.keys:
            _put(entity, name, text, plan)
        elif name == "as_of":
            asked.as_of = text
        elif name == "include":
            asked.include += text.split(",")
        elif name == "features":
            asked.features = [*(asked.features or ()), *text.split(",")]
        else:
            _put_context(context, name, text, plan)
    return asked


def _put(entity: Entity, key: str, text: str, plan: Plan) -> None:
    if key in entity:
        raise BadEntity(0, f"key {key!r} is given twice; ask for several entities with POST")
    try:
        entity[key] = parsed(text, plan.keys[key])
    except ValueError as error:
        raise BadEntity(0, f"key {key!r} {error}") from error


def _put_context(context: Context, parameter: str, text: str, plan: Plan) -> None:
    name = parameter.removeprefix(CONTEXT)
    if name == parameter or name not in plan.context:
        known = [*plan.keys, "as_of", "include", "features", *(CONTEXT + n for n in plan.context)]
        msg = f"there is no query parameter {parameter!r} {has(known)}{hint(parameter, known)}"
        raise RequestError(msg)
    if name in context:
        raise BadContext(None, f"{name!r} is given twice")
    try:
        context[name] = parsed(text, plan.context[name].kind)
    except ValueError as error:
        raise BadContext(None, f"{name!r} {error}") from error


def instant(text: str) -> int:
    """Return the moment of a request in microseconds UTC.

    Raises:
        RequestError: It is none.
    """
    try:
        return parse_instant(text)
    except ValueError as error:
        msg = f"as_of: {text[:100]!r} is no instant: write it as 2026-01-31T12:00:00Z"
        raise RequestError(msg) from error
