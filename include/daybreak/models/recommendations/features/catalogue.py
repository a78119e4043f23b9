"""The items of a business date: their ids, how they sell, and which of them are popular.

All of it is the same for every user, so it is stored once a day as the snapshot's context.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import DatasetError, NoData
from daybreak.facts.events import PURCHASE, UNKNOWN_USER, Events, Further
from daybreak.facts.names import numbered
from daybreak.models.arrays import from_names, to_names
from daybreak.models.base import Context, Float32
from daybreak.models.recommendations.features.cells import firsts, offsets_of, sums
from daybreak.models.recommendations.features.topn import MOST_COLUMNS
from daybreak.models.recommendations.numbers import DEFAULT, Numbers

EPOCH = date(1970, 1, 1)
_TEXTS = ("item_id", "category_name")
_FURTHER = "further"

SPANS = (3, 7, 14, 28, 90)
"""Days over which buyers are counted. By which of them what is popular predicts best, a version
learns (``learn/popularity.py``)."""
USUAL_SPAN = 28
ITEM_STATISTICS = (
    "item_buyers_3",
    "item_buyers_7",
    "item_buyers_14",
    "item_buyers_28",
    "item_buyers_90",
    "item_buyers",
    "item_trend",
    "item_price",
    "item_price_paid",
    "item_age",
    "item_last_sold",
    "item_days_sold_28",
    "item_quantity",
    "item_rank_28",
)


@dataclass(frozen=True)
class ItemDays:
    """What was sold by item and day; ``m`` rows in any order.

    ``item_ids``, ``categories``, ``further`` as in ``Events``. ``item`` (ordinal), ``day`` (since
    1970-01-01), ``buyers`` (distinct known users, plus baskets of unknown ones): int64 (m,).
    ``quantity`` and ``spend`` of purchases with a known price: float64 (m,).
    """

    item_ids: NDArray[np.object_]
    categories: NDArray[np.object_]
    item: NDArray[np.int64]
    day: NDArray[np.int64]
    buyers: NDArray[np.int64]
    quantity: NDArray[np.float64]
    spend: NDArray[np.float64]
    further: Further = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """``N`` items in bytewise order of id, ``C`` categories.

    ``item_id``, ``category_name``: object (N,), (C,). ``category``: int32 (N,), -1 for none.
    ``statistics``: float32 (N, len(ITEM_STATISTICS)). ``eligible``: bool (N,), on sale.
    ``popular``: int32 (len(SPANS), e), every eligible item, the most bought first, by span.
    ``by_category``: int32, eligible items with a category, by category and then as popular in 28
    days; those of category c are ``by_category[category_offsets[c]:category_offsets[c + 1]]``.
    ``further``: int32 (f, 2), an item and a category that it has beside its first; by item.
    """

    item_id: NDArray[np.object_]
    category_name: NDArray[np.object_]
    category: NDArray[np.int32]
    statistics: Float32
    eligible: NDArray[np.bool_]
    popular: NDArray[np.int32]
    by_category: NDArray[np.int32]
    category_offsets: NDArray[np.int64]
    further: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 2), np.int32))

    def __len__(self) -> int:
        return len(self.item_id)

    def popular_in(self, span: int) -> NDArray[np.int32]:
        """Every eligible item, the most bought in ``span`` days first; one of ``SPANS``."""
        found: NDArray[np.int32] = self.popular[SPANS.index(span)]
        return found

    def statistic(self, name: str) -> Float32:
        """One column of ``statistics``, (N,)."""
        return self.statistics[:, ITEM_STATISTICS.index(name)]

    @classmethod
    def context_layout(cls) -> tuple[str, ...]:
        """What ``to_context`` gives, and in which order ``statistics`` has its columns."""
        always = (part.name for part in fields(cls) if part.name != _FURTHER)
        return (*always, *ITEM_STATISTICS)

    def to_context(self) -> dict[str, NDArray[Any]]:
        """Plain arrays by name; none of Python objects."""
        plain: dict[str, NDArray[Any]] = {
            part.name: getattr(self, part.name) for part in fields(self)
        }
        if not len(self.further):  # with one category an item the context is as before
            del plain[_FURTHER]
        return plain | {name: from_names(plain[name]) for name in _TEXTS}

    @classmethod
    def from_context(cls, context: Context) -> Catalogue:
        """The catalogue that ``to_context`` gave."""
        names = [part.name for part in fields(cls) if part.name in context]
        plain = {name: context[name] for name in names}
        return cls(**plain | {name: to_names(plain[name]) for name in _TEXTS})

    def categories_of(self, item: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All categories of ``item`` (k,): place in ``item``, ascending, and category, (p,)."""
        first = self.category[item]
        if not len(self.further):
            place = np.flatnonzero(first >= 0)
            return place, first[place].astype(np.int64)
        offsets, listed = self._listed
        sizes = np.diff(offsets)[item]
        place = np.repeat(np.arange(len(item)), sizes)
        within = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return place, listed[offsets[item][place] + within]

    @cached_property
    def _listed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All categories by item: those of item i are ``listed[offsets[i]:offsets[i + 1]]``."""
        item, category = _pairs(self.category, self.further)
        return offsets_of(item, len(self)), category


def item_days(events: Events) -> ItemDays:
    """Purchases by item and day, the same bits as the warehouse's ``item_totals`` gives.

    Where no basket is known, an unknown buyer counts by moment.
    """
    rows = np.flatnonzero(events.weight >= PURCHASE)
    basket = np.where(events.basket[rows] == 0, -events.at[rows] - 1, events.basket[rows])
    buyer = np.where(events.user[rows] == UNKNOWN_USER, basket, events.user[rows])
    named = (events.user[rows] != UNKNOWN_USER).astype(np.int64)
    item, day = events.item[rows].astype(np.int64), events.day[rows].astype(np.int64)
    order = np.lexsort((rows, buyer, named, day, item))
    rows, buyer, named, item, day = (x[order] for x in (rows, buyer, named, item, day))
    starts = firsts(item, day)
    group = np.cumsum(starts) - 1
    size = int(starts.sum())
    known = ~np.isnan(events.price[rows]) & ~np.isnan(events.quantity[rows])
    quantity = np.where(known, events.quantity[rows], 0.0)
    spend = np.where(known, events.price[rows] * quantity, 0.0)
    return ItemDays(
        events.item_ids,
        events.categories,
        item[starts],
        day[starts],
        np.bincount(group, firsts(item, day, named, buyer), size).astype(np.int64),
        _sums(group, quantity, size),
        _sums(group, spend, size),
        events.further,
    )


def _sums(group: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Each group's sum, (size,), added in ascending order, whatever order the rows came in."""
    order = np.lexsort((values, group))
    return sums(group[order], values[order], size)


def build_catalogue(sold: ItemDays, business_date: date, numbers: Numbers = DEFAULT) -> Catalogue:
    """The catalogue as of a day; later rows are not looked at.

    Raises ``NoData`` where nothing is on sale, ``DatasetError`` for more items than lists are made
    of.
    """
    if len(sold.item_ids) > MOST_COLUMNS:
        raise DatasetError(
            f"There are interactions with {len(sold.item_ids):,} items; the recommendations tell "
            f"{MOST_COLUMNS:,} apart at most.",
            remedy="Leave out items that nobody bought for long, or give the variants of an "
            "article one `item_id`.",
            field="item_id",
            items=len(sold.item_ids),
            most=MOST_COLUMNS,
        )
    today = (business_date - EPOCH).days
    past = sold.day <= today
    order = np.flatnonzero(past)
    order = order[np.lexsort((sold.day[order], sold.item[order]))]
    item, age = sold.item[order], today - sold.day[order]
    if not len(order) or age.min() >= numbers.on_sale_days:
        raise NoData(
            f"Nothing was bought in the {numbers.on_sale_days} days up to {business_date}.",
            remedy="Load interactions of these days, or choose another business date.",
            business_date=business_date.isoformat(),
        )
    count = len(sold.item_ids)
    statistics = _statistics(item, age, sold, order, count)
    eligible = statistics[:, ITEM_STATISTICS.index("item_last_sold")] < numbers.on_sale_days
    buyers = [statistics[:, ITEM_STATISTICS.index(f"item_buyers_{span}")] for span in SPANS]
    # Among equals those of more days decide.
    popular = np.stack([_ranked(eligible, *buyers[n:]) for n in range(len(SPANS))])
    usual = popular[SPANS.index(USUAL_SPAN)]
    rank = np.full(count, np.nan, np.float32)
    rank[usual] = np.arange(1, len(usual) + 1)
    statistics[:, ITEM_STATISTICS.index("item_rank_28")] = rank
    names, category, further = _categories(sold)
    item_of, category_of = _pairs(category, further)
    place = np.full(count, -1, np.int64)
    place[usual] = np.arange(len(usual))
    on_sale = np.flatnonzero(place[item_of] >= 0)
    on_sale = on_sale[np.lexsort((place[item_of[on_sale]], category_of[on_sale]))]
    listed = item_of[on_sale].astype(np.int32)
    return Catalogue(
        sold.item_ids,
        names,
        category,
        statistics,
        eligible,
        popular,
        listed,
        offsets_of(category_of[on_sale], len(names)),
        further,
    )


def _statistics(
    item: NDArray[np.int64],
    age: NDArray[np.int64],
    sold: ItemDays,
    order: NDArray[np.intp],
    count: int,
) -> Float32:
    buyers = sold.buyers[order].astype(np.float64)
    quantity, spend = sold.quantity[order], sold.spend[order]

    def total(values: NDArray[np.float64], within: int | None = None) -> NDArray[np.float64]:
        rows = slice(None) if within is None else age < within
        return sums(item[rows], values[rows], count)

    newest = np.full(count, np.nan)
    newest[item] = age  # in order of day, so the newest is written last
    oldest = np.full(count, np.nan)
    oldest[item[::-1]] = age[::-1]
    in_span = {f"item_buyers_{span}": total(buyers, span) for span in SPANS}
    week, month = in_span["item_buyers_7"], in_span["item_buyers_28"]
    priced = quantity > 0
    last_price = np.full(count, np.nan)
    last_price[item[priced]] = spend[priced] / quantity[priced]
    whole, units = total(buyers), total(quantity)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            **in_span,
            "item_buyers": whole,
            "item_trend": (week + 1) / (month / 4 + 1),
            "item_price": last_price,
            "item_price_paid": np.where(units > 0, total(spend) / units, np.nan),
            "item_age": oldest,
            "item_last_sold": newest,
            "item_days_sold_28": total(np.ones(len(item)), 28),
            "item_quantity": np.where(units > 0, units / whole, np.nan),
            "item_rank_28": np.full(count, np.nan),
        }
    return np.column_stack([columns[name] for name in ITEM_STATISTICS]).astype(np.float32)


def _ranked(eligible: NDArray[np.bool_], *scores: Float32) -> NDArray[np.int32]:
    """Eligible ordinals by the scores, highest first; ties go to the next score, then by id."""
    items = np.flatnonzero(eligible)
    keys = np.stack([items, *(-score[items] for score in reversed(scores))])
    return items[np.lexsort(keys)].astype(np.int32)


def _categories(
    sold: ItemDays,
) -> tuple[NDArray[np.object_], NDArray[np.int32], NDArray[np.int32]]:
    """Names of all categories, the first of each item, and the further ones (f, 2)."""
    more = [
        (number, name)
        for number, item_id in enumerate(sold.item_ids.tolist())
        for name in sold.further.get(item_id, ())
    ]
    beyond = np.array([*(name for _, name in more), None], object)[:-1]
    names, code = numbered(np.concatenate([sold.categories, beyond]))
    none = int(len(names) > 0 and names[0] == "")
    first, rest = np.split((code - none).astype(np.int32), [len(sold.categories)])
    owner = np.array([number for number, _ in more], np.int32)
    return names[none:], first, np.column_stack([owner, rest])


def _pairs(
    category: NDArray[np.int32], further: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items and each of their categories, by item, its first category before the others."""
    has = np.flatnonzero(category >= 0)
    item = np.concatenate([has, further[:, 0]]).astype(np.int64)
    order = np.argsort(item, kind="stable")
    return item[order], np.concatenate([category[has], further[:, 1]]).astype(np.int64)[order]
