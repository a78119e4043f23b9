"""Small shops drawn at random, as `Events`: known and unknown users, looks and purchases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from daybreak.facts.events import UNKNOWN_USER, Events
from daybreak.models.recommendations.features.cells import where

TODAY = date(2026, 3, 31)
DAY = (TODAY - date(1970, 1, 1)).days
MICROSECONDS = 24 * 3600 * 1_000_000
CATEGORIES = ("", "fresh", "toys", "tools")


def random_events(
    seed: int, *, users: int = 12, items: int = 25, events: int = 300, days: int = 60
) -> Events:
    """Up to ``events`` events on the ``days`` days up to `TODAY`; some users may have none."""
    rng = np.random.default_rng(seed)
    count = events
    user = rng.integers(-1, users, count)
    user[user < 0] = UNKNOWN_USER
    day = DAY - rng.integers(0, days, count)
    popular = rng.random(items) ** 3 + 0.01
    item = rng.choice(items, count, p=popular / popular.sum())
    weight = rng.choice([0.1, 0.5, 1.0, 1.0, 1.0], count)
    price = np.where(rng.random(count) < 0.1, np.nan, np.round(rng.random(count) * 20 + 0.5, 2))
    quantity = np.where(rng.random(count) < 0.1, np.nan, rng.integers(1, 6, count))
    basket = np.where(rng.random(count) < 0.2, 0, (day * 100 + (user + 1) * 3) % 100_000 + 1)
    at = day * MICROSECONDS + rng.integers(0, MICROSECONDS, count)
    order = np.lexsort((price, quantity, weight, basket, item, at, user))
    return Events(
        np.array([f"U{n:03d}" for n in range(users)], object),
        np.array([f"I{n:03d}" for n in range(items)], object),
        np.array([CATEGORIES[n % len(CATEGORIES)] for n in range(items)], object),
        user[order].astype(np.int32),
        item[order].astype(np.int32),
        day[order].astype(np.int32),
        at[order].astype(np.int64),
        basket[order].astype(np.int64),
        weight[order],
        quantity[order].astype(np.float64),
        price[order],
    )


def with_later(events: Events, seed: int, count: int = 50) -> Events:
    """The same events, and ``count`` more of the same users and items after `TODAY`."""
    later = random_events(
        seed, users=len(events.user_ids), items=len(events.item_ids), events=count, days=14
    )
    later = replace(later, day=later.day + 14, at=later.at + 14 * MICROSECONDS)
    assert later.day.min() > DAY
    names = ("user", "item", "day", "at", "basket", "weight", "quantity", "price")
    both = {n: np.concatenate([getattr(events, n), getattr(later, n)]) for n in names}
    order = np.lexsort((both["item"], both["at"], both["user"]))
    return replace(events, **{n: values[order] for n, values in both.items()})


def ago(days: int) -> date:
    """A date ``days`` before `TODAY`."""
    return TODAY - timedelta(days=days)


def firsts_only(events: Events) -> Events:
    """Without what a user does again with an item: films that are rated, books that are bought."""
    key = events.user.astype(np.int64) * len(events.item_ids) + events.item
    order = np.lexsort((events.at, key))
    first = np.ones(len(order), bool)
    first[1:] = key[order][1:] != key[order][:-1]
    kept = np.zeros(len(order), bool)
    kept[order[first]] = True
    return where(events, kept)


def purchases(lines: Sequence[tuple[str, str, int]]) -> Events:
    """One unit at a price of 1 a line of (user, item, days before `TODAY`), in no basket."""
    user_ids, user = np.unique([line[0] for line in lines], return_inverse=True)
    item_ids, item = np.unique([line[1] for line in lines], return_inverse=True)
    day = DAY - np.array([line[2] for line in lines])
    order = np.lexsort((item, day, user))
    ones = np.ones(len(lines))
    return Events(
        user_ids.astype(object),
        item_ids.astype(object),
        np.full(len(item_ids), "", object),
        user[order].astype(np.int32),
        item[order].astype(np.int32),
        day[order].astype(np.int32),
        day[order] * MICROSECONDS,
        np.zeros(len(lines), np.int64),
        ones,
        ones,
        ones,
    )
