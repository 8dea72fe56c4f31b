"""Make a week of payments with frauds, the merchants, and where the users live.

Everything is made up from a fixed seed. In it are the patterns that a fraud team looks for, and the
mess that a real stream brings: payments sent twice, late ones, and some that break the contract.

Run in a checkout, after ``make install``: ``python -m examples.payments.make_data``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).parent
PAYMENTS, FRAUDS = HERE / "payments.jsonl", HERE / "frauds.txt"
MERCHANTS, PROFILES = HERE / "merchants.csv", HERE / "profiles.jsonl"
START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, USERS, MERCHANT_COUNT, EVERYDAY = 7, 30, 20, 900
COUNTRIES, MOVES = ("FR", "FR", "FR", "IT", "ES"), (2, 9, 21)  # who moves, in the middle of it
CATEGORIES = ("food", "travel", "games", "fuel", "fashion")
Payment = dict[str, Any]


@dataclass
class Town:
    """People with habits, merchants, and what they pay to whom.

    Attributes:
        dice: Where chance comes from.
        sent: Payments with the moment each is sent.
        frauds: The ids of those that are fraud.
    """

    dice: Random
    sent: list[tuple[datetime, Payment]] = field(default_factory=list)
    frauds: list[str] = field(default_factory=list)

    def pay(self, user: int, merchant: int, amount: float, at: datetime, **odd: Any) -> Payment:
        """Let a user pay; the payment is sent a moment later."""
        payment = {
            "payment_id": f"p{len(self.sent):04d}",
            "user_id": f"u{user}",
            "card_id": f"c{user}",
            "merchant_id": f"m{merchant}",
            "amount": round(amount, 2),
            "currency": self.dice.choices(("EUR", "USD", "GBP"), (8, 1, 1))[0],
            "status": "declined" if self.dice.random() < 0.04 else "approved",  # noqa: PLR2004
            "paid_at": at,
            **odd,
        }
        self.sent.append((at + timedelta(seconds=self.dice.uniform(0, 3)), payment))
        return payment

    def everyday(self) -> None:
        """Pay by habit: by day, at the same few merchants, much the same amount."""
        habits = [(self.dice.sample(range(MERCHANT_COUNT), 4), user) for user in range(USERS)]
        for _ in range(EVERYDAY):
            merchants, user = self.dice.choice(habits)
            day, hour = self.dice.randrange(DAYS), self.dice.triangular(6.5, 22, 13)
            amount = self.dice.lognormvariate(2.5 + user / USERS, 0.4)
            at = START + timedelta(days=day, hours=hour)
            self.pay(user, self.dice.choice(merchants), amount, at)

    def card_testing(self, user: int, at: datetime) -> None:
        """A stolen card is tried with small amounts all over town, then emptied."""
        for step in range(8):
            when = at + timedelta(seconds=55 * step)
            status = "declined" if step % 3 == 1 else "approved"
            small = self.dice.uniform(0.5, 2.5)
            self.fraud(self.pay(user, step, small, when, status=status, currency="EUR"))
        when = at + timedelta(minutes=9)
        self.fraud(self.pay(user, 9, 890.0, when, status="approved", currency="EUR"))

    def takeover(self, user: int, at: datetime) -> None:
        """Somebody else sits in an account at night: large amounts, a card it never had."""
        for step in range(4):
            amount, when = self.dice.uniform(300, 600), at + timedelta(minutes=13 * step)
            self.fraud(self.pay(user, 15 + step, amount, when, card_id=f"x{user}", currency="EUR"))

    def attack(self, merchant: int, at: datetime) -> None:
        """Numbers of cards are guessed at one merchant: many cards, most of them declined."""
        for step in range(25):
            when = at + timedelta(seconds=11 * step)
            status = "approved" if step % 8 == 0 else "declined"
            user, card = USERS + step, f"g{step}"
            self.fraud(self.pay(user, merchant, 49.9, when, card_id=card, status=status))

    def fraud(self, payment: Payment) -> None:
        """Remember that a payment is fraud."""
        self.frauds.append(payment["payment_id"])

    def mess(self) -> None:
        """Send some payments twice, and some hours late."""
        for _, payment in self.dice.sample(self.sent, 30):
            again = payment["paid_at"] + timedelta(minutes=self.dice.uniform(0.1, 90))
            self.sent.append((again, payment))
        for place in self.dice.sample(range(EVERYDAY), 25):
            sent, payment = self.sent[place]
            self.sent[place] = sent + timedelta(hours=self.dice.uniform(1, 12)), payment


def broken(town: Town) -> Iterator[tuple[datetime, str]]:
    """Yield lines that are refused, each for another reason, but for one that is only old."""
    noon = START + timedelta(days=3, hours=12)
    good = written(town.pay(1, 1, 10.0, noon, payment_id="bad"))
    town.sent.pop()
    for minute, (old, new) in enumerate(
        [
            ('"amount": 10.0', '"amount": -10.0'),
            ('"amount": 10.0', '"amount": "ten"'),
            ('"user_id": "u1", ', ""),
            ('"status": "approved"', '"status": "pending"'),
            ("}", ""),
            ("2026-03-05", "2026-02-20"),  # late by weeks: in no window but `ever`
            ("2026-03-05", "2099-03-05"),  # from the future
        ]
    ):
        assert old in good
        yield noon + timedelta(minutes=minute), good.replace(old, new)


def written(payment: Payment) -> str:
    """Return a payment as the gateway writes it."""
    at = payment["paid_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({**payment, "paid_at": at})


def made() -> tuple[list[str], list[str]]:
    """Return the lines of the stream as they are sent, and the ids of the frauds."""
    town = Town(Random(20260302))  # noqa: S311 - chance, no secret
    town.everyday()
    for day, user in ((4, 3), (5, 17), (6, 8)):
        town.card_testing(user, START + timedelta(days=day, hours=15.3 + day / 10))
    for day, user in ((4, 11), (6, 24)):
        town.takeover(user, START + timedelta(days=day, hours=2.2))
    town.attack(13, START + timedelta(days=5, hours=19.7))
    town.mess()
    lines = [(at, written(payment)) for at, payment in town.sent]
    return [line for _, line in sorted([*lines, *broken(town)])], sorted(town.frauds)


def profiles() -> Iterator[Payment]:
    """Yield where each user lives; some move on the fourth day."""
    for user in range(USERS):
        home = "IT" if user % 10 == 0 else "FR"
        since = START - timedelta(days=30, hours=user)
        yield {"user_id": f"u{user}", "home": home, "since": since.isoformat()}
    for user in MOVES:
        since = START + timedelta(days=3, hours=user)
        yield {"user_id": f"u{user}", "home": "ES", "since": since.isoformat()}


def main() -> None:
    """Write the files."""
    lines, frauds = made()
    PAYMENTS.write_text("".join(line + "\n" for line in lines))
    FRAUDS.write_text("".join(name + "\n" for name in frauds))
    rows = [
        f"m{number},{CATEGORIES[number % len(CATEGORIES)]},{COUNTRIES[number // 4]},"
        f"{str(number % 3 == 0).lower()}\n"
        for number in range(MERCHANT_COUNT - 1)  # the last one is new, and not in the table yet
    ]
    MERCHANTS.write_text("merchant_id,category,country,online\n" + "".join(rows))
    PROFILES.write_text("".join(json.dumps(profile) + "\n" for profile in profiles()))


if __name__ == "__main__":
    main()
