"""Decide on each payment of the week before it goes through: ``python -m examples.payments``.

Each payment first asks for its vector, as a model would while the card is in the reader, and only
then becomes an event itself. The rules stand in for a model.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from examples.payments.features import EUROS, Payment
from featurestore.testing import Store

HERE = Path(__file__).parent
END = "2026-03-10T00:00:00Z"
Vector = dict[str, Any]

ODD_EUROS, ODD_SPREADS = 100, 6
MANY_SMALL, MANY_MERCHANTS = 3, 5
MANY_CARDS, MOST = 5, 0.5


def reasons(euros: float, vector: Vector) -> list[str]:
    """Say what is odd about a payment, given what was known before it."""
    far = (vector["spreads_away"] or 0) > ODD_SPREADS
    declined, cards = vector["merchant_declined_10m"], vector["merchant_cards_10m"]
    found = {
        "much more than usual": euros > ODD_EUROS and far,
        "small ones, then a large one": euros > ODD_EUROS and vector["card_small_1h"] >= MANY_SMALL,
        "all over town": (vector["card_merchants_10m"] or 0) >= MANY_MERCHANTS,
        "many cards, most declined": (cards or 0) >= MANY_CARDS and declined > MOST,
    }
    return [reason for reason, applies in found.items() if applies]


def odd(store: Store, lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield payments that are odd, with why, each looked up before it counts."""
    seen = set()
    for line in lines:
        payment = _payment(line)
        if payment is not None and payment["payment_id"] not in seen:
            seen.add(payment["payment_id"])
            keys = {key: payment[key] for key in ("card_id", "user_id", "merchant_id")}
            euros = payment["amount"] * EUROS[payment["currency"]]
            at, context = payment["paid_at"], {"euros": euros}
            vector = store.get("fraud_now_v1", keys, as_of=at, context=context)
            if found := reasons(euros, vector):
                yield payment["payment_id"], found
        store.feed("payments", line)


def _payment(line: str) -> Vector | None:
    """Return a payment as the shop's till has it; None where it is none."""
    try:
        return Payment.model_validate_json(line).model_dump()
    except ValidationError:
        return None


def main() -> None:
    """Print what was odd, and how much of the fraud that was."""
    store = Store(str(HERE / "features.py"), now=END)
    store.feed("profiles", HERE / "profiles.jsonl")
    lines = (HERE / "payments.jsonl").read_text().splitlines()
    frauds, alerts = set((HERE / "frauds.txt").read_text().split()), set()
    for name, found in odd(store, lines):
        alerts.add(name)
        print(f"{name}  {'fraud' if name in frauds else '-':5}  {'; '.join(found)}")  # noqa: T201
    caught, wrong = len(alerts & frauds), len(alerts - frauds)
    print(f"caught {caught} of {len(frauds)} frauds, with {wrong} false alarms")  # noqa: T201
    print(f"payments: {store.counts('payments')}")  # noqa: T201


if __name__ == "__main__":
    main()
