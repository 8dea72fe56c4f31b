"""Is this edit vandalism? One day of edits to all Wikipedias, 12 September 2015.

Pages are quiet until they are not; users are people, or robots with thousands of edits an hour.
Who is not logged in has a country but no name; who is has a name but no country.
"""

from datetime import datetime

from pydantic import BaseModel, Field

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    column,
    count,
    counts_by,
    distinct,
    first,
    greatest,
    histogram,
    last,
    least,
    maximum,
    mean,
    median,
    minimum,
    most_frequent,
    session,
    total,
)


class Edit(BaseModel):
    """The contract of the stream, with the names the producer uses as aliases."""

    time: datetime
    channel: str  # which Wikipedia, as in #en.wikipedia
    page: str
    namespace: str
    user: str
    comment: str
    delta: int  # bytes
    added: int = Field(ge=0)
    deleted: int = Field(ge=0)
    is_robot: bool = Field(alias="isRobot")
    is_anonymous: bool = Field(alias="isAnonymous")
    is_minor: bool = Field(alias="isMinor")
    is_new: bool = Field(alias="isNew")
    is_unpatrolled: bool = Field(alias="isUnpatrolled")
    country: str | None = Field(alias="countryIsoCode")
    city: str | None = Field(alias="cityName")


LARGE = 10_000  # bytes; what is beyond says no more

edits = Stream(
    "edits",
    contract=Edit,
    event_time="time",
    derive={
        "language": column("channel").slice(1, 3),
        "talk": column("namespace").lower().contains("talk"),
        "undo": column("comment").matches("(?i)revert|undid|undo"),
        "size": least(greatest(column("delta"), -LARGE), LARGE),
        "blanked": (column("added") == 0) & (column("deleted") > 1000),  # noqa: PLR2004 - bytes
    },
)

page = Entity("page", keys=["channel", "page"])
user = Entity("user", keys=["user"])
country = Entity("country", keys=["country"])
wiki = Entity("wiki", keys=["channel"])

page_now = FeatureView(
    "page_now",
    stream=edits,
    entity=page,
    windows=["10m", "1h", "24h"],
    features={
        "edits": count(),
        "editors": distinct("user"),
        "undone": count(where=column("undo")),
        "blanked": count(where=column("blanked")),
        "anonymous": mean("is_anonymous"),
        "growth": total("size"),
        "largest_cut": minimum("delta"),
        "last_user": last("user"),
    },
)

user_now = FeatureView(
    "user_now",
    stream=edits,
    entity=user,
    windows=["10m", "1h", "24h"],
    features={
        "edits": count(),
        "pages": distinct("page"),
        "wikis": distinct("channel"),
        "robot": mean("is_robot"),
        "talk": mean("talk"),
        "minor": mean("is_minor"),
        "size": mean("size"),
        "largest": maximum("delta"),
        "last_language": last("language"),
    },
)

# A person sits down, edits, and stops; a robot does not.
user_session = FeatureView(
    "user_session",
    stream=edits,
    entity=user,
    windows=[session("30m")],
    features={"edits": count(), "pages": distinct("page"), "began": first("time")},
)

wiki_now = FeatureView(
    "wiki_now",
    stream=edits,
    entity=wiki,
    windows=["1h", "24h"],
    features={
        "edits": count(),
        "robots": mean("is_robot"),
        "top_pages": most_frequent("page", 3),
        "top_users": most_frequent("user", 3),
        "namespaces": counts_by("namespace"),
        "sizes": histogram("delta", bins=[-1000, -100, 0, 100, 1000]),
        "typical_size": median("delta"),
    },
)

# An edit without a country belongs to no row here.
country_now = FeatureView(
    "country_now",
    stream=edits,
    entity=country,
    windows=["1h"],
    features={"edits": count(), "cities": distinct("city"), "undone": mean("undo")},
)

by_name = FeatureService(
    "vandalism_v1",
    features=[page_now.prefix("page_"), user_now.prefix("user_"), user_session.prefix("user_")],
)
by_wiki = FeatureService("wiki_v1", features=[wiki_now])
by_country = FeatureService("anonymous_v1", features=[country_now])
