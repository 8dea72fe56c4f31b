"""What cannot be looked up: said when it is defined, with what to do."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from featurestore import Catalog, Entity, FeatureView, Latest, Stream, column, count
from featurestore.definitions.catalog import load
from featurestore.errors import DefinitionError
from tests.enrichment.profiles import Profile, payments, profile, profiles, service

undone = Stream("profiles", contract=Profile, event_time="at", reverses=column("limit") < 0)


def refund(**options: Any) -> Stream:
    return payments(enrich=[profile().on("payer")], reverses_time="at", **options)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (
            lambda: profile(columns=["teir"]),
            (
                "latest 'profile': column 'teir' is not in stream 'profiles' (has: user, tier, "
                "country, limit, at); did you mean 'tier'?"
            ),
        ),
        (
            lambda: profile(key="usr"),
            (
                "latest 'profile': key 'usr' is not in stream 'profiles' (has: user, tier, "
                "country, limit, at); did you mean 'user'?"
            ),
        ),
        (lambda: profile(columns=[]), "latest 'profile': it has no columns; name at least one"),
        (
            lambda: profile(columns="tier"),
            "latest 'profile': columns 'tier' must be a list, as in columns=['tier']",
        ),
        (lambda: profile(columns=None), "latest 'profile': columns None must be a list, as in"),
        (lambda: profile(columns=["tier", 5]), "latest 'profile': columns ['tier', 5] must be a"),
        (lambda: profile(key=5), "latest 'profile': key must name a column, got 5"),
        (lambda: profile(stream="s"), "latest 'profile': stream must be a Stream, got 's'"),
        (lambda: profile(columns=["tier", "tier"]), "latest 'profile': column 'tier' stands twice"),
        (
            lambda: profile(max_age="soon"),
            "latest 'profile': max_age 'soon' is no duration: write a number and a unit",
        ),
        (
            lambda: profile(where=column("limit") + 1),
            "latest 'profile': where: (limit + 1) is float, but must be true or false",
        ),
        (
            lambda: profile(record_budget=0),
            "latest 'profile': record_budget 0 must be from 1 to 65535",
        ),
        (
            lambda: profile(stream=undone),
            (
                "latest 'profile': stream 'profiles' has events that undo others "
                "(reverses='(limit < 0)'), and the newest one cannot be undone; define a second"
            ),
        ),
        (
            lambda: payments(enrich=[profile().on("amount")]),
            (
                "stream 'payments': enrich 'profile': amount is float, but the keys of latest "
                "'profile' are str; look up by what stream 'profiles' has in 'user', or cast"
            ),
        ),
        (
            lambda: payments(enrich=[profile().on("payer"), profile().on("payee")]),
            "enrich 'profile': there is a column 'profile.tier' already; say on(..., name=...)",
        ),
        (
            lambda: payments(enrich=[profile().on("paier")]),
            "enrich 'profile': column 'paier' is not in stream 'payments'",
        ),
        (
            lambda: refund(reverses="back", derive={"back": column("amount") < 0}),
            (
                "reverses and reverses_time use 'back', which is not there yet when 'profile' is "
                "looked up; use columns of the contract, or make it in transforms"
            ),
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_cure(make: Callable[[], Any], problem: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(problem)):
        make()


def test_a_stream_is_not_looked_up_in_what_comes_of_it() -> None:
    first = payments()
    paid = Latest("paid", stream=first, key="payer", columns=["amount"])
    knowing = Stream("profiles", contract=Profile, event_time="at", enrich=[paid.on("user")])
    with pytest.raises(DefinitionError) as caught:
        payments(enrich=[profile(stream=knowing).on("payer")])
    assert str(caught.value) == (
        "stream 'payments': enrich 'profile': it comes of this stream itself: 'payments' from "
        "'profiles' from 'payments'; leave one of these look-ups out, and let a service read "
        "both streams' views side by side"
    )
    with pytest.raises(DefinitionError, match="'payments' from 'payments'; leave"):
        payments(enrich=[paid.on("payer")])


def test_two_of_one_name_are_told_apart_by_nobody() -> None:
    one, other = profile(), profile(columns=["tier"])
    of = payments(enrich=[one.on("payer"), other.on("payee", name="payee")])
    with pytest.raises(DefinitionError, match="two definitions of latest 'profile'; rename one"):
        Catalog.of([service(of)])


def test_a_view_may_not_take_the_name_of_its_rows() -> None:
    user = Entity("user", keys=["user"])
    view = FeatureView("latest:profile", stream=profiles, entity=user, windows=["1h"],
                       features={"n": count()})  # fmt: skip
    with pytest.raises(DefinitionError, match="'latest:profile' is what keeps latest 'profile'"):
        Catalog.of([view, profile()])


def test_a_catalog_gathers_the_streams_that_others_are_looked_up_in() -> None:
    catalog = Catalog.of([service(payments(enrich=[profile().on("payer")]))])
    assert list(catalog.streams) == ["payments", "profiles"]
    assert [view.name for view in catalog.views_of("profiles")] == ["latest:profile"]
    assert catalog.columns_used(catalog.stream("profiles")) >= {"user", "tier", "limit", "country"}
    alone = Catalog.of([profile()])
    assert list(alone.latest) == ["profile"], "a flow of profiles alone keeps them, too"


def test_every_problem_of_a_module_is_said_at_once(tmp_path: Any) -> None:
    path = tmp_path / "wrong_features.py"
    path.write_text(
        "from tests.enrichment.profiles import payments, profile\n"
        "wrong = profile(columns=['teir'])\n"
        "worse = payments(enrich=[wrong.on('payer'), wrong.on('paier', name='x')])\n"
    )
    with pytest.raises(DefinitionError) as caught:
        load(str(path))
    assert len(caught.value.problems) == 2


def test_what_is_looked_up_is_part_of_what_a_view_is() -> None:
    def version(**options: Any) -> str:
        of = payments(enrich=[profile(**options).on("payer")])
        return service(of).views[0].version

    assert version() == version()
    others = {version(max_age="1d"), version(where=column("limit") > 0), version()}
    assert len(others) == 3
