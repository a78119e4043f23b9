"""What the features of a candidate say, each looked up by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daybreak.models.arrays import pack, unpack
from daybreak.models.recommendations.features.assemble import FEATURES, PERSONAL, assemble
from daybreak.models.recommendations.features.candidates import SOURCES, Ragged, Wish, candidates
from daybreak.models.recommendations.features.catalogue import Catalogue
from daybreak.models.recommendations.features.cells import row_numbers
from daybreak.models.recommendations.features.histories import LAYOUT, RECORD, default_row
from daybreak.models.recommendations.learn.day import Day, day_of
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from random_events import DAY, random_events
from recommendation_oracle import records_of


@pytest.fixture(scope="module")
def at() -> Day:
    known = random_events(11, events=500)
    return day_of(known, DAY, learn(known, Kernels(neighbours=8), threads=1))


def test_names_are_unique() -> None:
    assert len(set(FEATURES)) == len(FEATURES)


def test_every_feature_says_what_it_is_called(at: Day) -> None:
    found = candidates(at.rows, at.catalogue, at.learned)
    features = assemble(at.rows, at.catalogue, at.learned, found)
    named = {name: features[:, n] for n, name in enumerate(FEATURES)}
    user = row_numbers(found.offsets)
    category = at.catalogue.category
    for row in range(len(found)):
        item = int(found.item[row])
        records = {int(r["item"]): r for r in records_of(at.rows, int(user[row]))}
        record = records.get(item)
        for name in RECORD[1:-1]:
            value = np.nan if record is None else record[name]
            np.testing.assert_equal(named[f"pair_{name}"][row], np.float32(value))
        gap = np.nan
        if record is not None and record["bought"] > 1:
            gap = (record["first"] - record["last"]) / (record["bought"] - 1)
            np.testing.assert_allclose(named["pair_due"][row], record["last"] / gap, rtol=1e-6)
        np.testing.assert_allclose(named["pair_gap"][row], gap, rtol=1e-6)
        total = sum(r["long"] for r in records.values())
        liked = sum(r["long"] for i, r in records.items() if category[i] == category[item])
        share = liked / total if category[item] >= 0 else np.nan
        np.testing.assert_allclose(named["category_share"][row], share, rtol=1e-5)
        usual = at.rows.values[user[row], LAYOUT.index("user_price")]
        price = at.catalogue.statistic("item_price")[item]
        np.testing.assert_allclose(named["price_ratio"][row], price / usual, rtol=1e-6)
    for n, name in enumerate(SOURCES):
        np.testing.assert_array_equal(named[f"score_{name}"], found.scores[:, n])
        np.testing.assert_array_equal(named[f"rank_{name}"], found.ranks[:, n])
    for name in LAYOUT:
        np.testing.assert_array_equal(named[name], at.rows.values[user, LAYOUT.index(name)])


def test_shares_are_beside_the_user_s_best(at: Day) -> None:
    found = candidates(at.rows, at.catalogue, at.learned)
    features = assemble(at.rows, at.catalogue, at.learned, found)
    for name in PERSONAL:
        share = features[:, FEATURES.index(f"share_{name}")]
        first = found.ranks[:, SOURCES.index(name)] == 1
        assert (share[first] == 1).all()
        assert np.nanmax(share, initial=0) <= 1


def test_a_session_speaks_by_its_strongest_bond(at: Day) -> None:
    bonds = at.learned.neighbours["basket"].toarray()
    items = np.argsort(-(bonds > 0).sum(axis=1))[:2]
    session = Ragged(np.array([0, 2]), np.sort(items))
    found = candidates(default_row(), at.catalogue, at.learned, Wish(session))
    features = assemble(default_row(), at.catalogue, at.learned, found, session)
    best = features[:, FEATURES.index("session_best")]
    wanted = bonds[items][:, found.item].max(axis=0)
    np.testing.assert_array_equal(best, np.where(wanted > 0, wanted, np.nan).astype(np.float32))
    assert (features[:, FEATURES.index("session_items")] == 2).all()
    summed = found.scores[:, SOURCES.index("session")]
    np.testing.assert_allclose(
        np.nan_to_num(summed), bonds[items][:, found.item].sum(axis=0), rtol=1e-6
    )


def test_without_a_session_its_features_are_unknown(at: Day) -> None:
    found = candidates(at.rows, at.catalogue, at.learned)
    for session in (None, Ragged(np.zeros(len(at.rows) + 1, np.int64), np.empty(0, np.int64))):
        features = assemble(at.rows, at.catalogue, at.learned, found, session)
        for name in ("session_items", "session_best"):
            assert np.isnan(features[:, FEATURES.index(name)]).all()


def test_an_item_of_several_categories_speaks_for_each() -> None:
    events = random_events(11, events=500)
    names = sorted({name for name in events.categories if name})
    further = {
        item: tuple(name for name in (*names, "only here") if name != own)[: 1 + n % 3]
        for n, (item, own) in enumerate(zip(events.item_ids, events.categories, strict=True))
        if own and n % 2
    }
    known = replace(events, further=further)
    learned = learn(known, Kernels(neighbours=8), threads=1)
    at = day_of(known, DAY, learned)
    catalogue = Catalogue.from_context(unpack(pack(at.catalogue.to_context())))
    named_by = dict(zip(events.item_ids, events.categories, strict=True))
    kinds = [
        [name for name in (named_by[item], *further.get(item, ())) if name]
        for item in catalogue.item_id
    ]

    for kind, name in enumerate(catalogue.category_name):
        first, end = catalogue.category_offsets[kind : kind + 2]
        mine = set(catalogue.by_category[first:end].tolist())
        assert mine == {n for n in np.flatnonzero(catalogue.eligible) if name in kinds[n]}
    found = candidates(at.rows, catalogue, at.learned)
    shares = assemble(at.rows, catalogue, at.learned, found)[:, FEATURES.index("category_share")]
    scores = found.scores[:, SOURCES.index("category")]
    assert np.isfinite(scores).any()
    buyers = catalogue.statistic("item_buyers_90").astype(float)
    sold = {
        name: max(
            sum(buyers[n] for n in range(len(kinds)) if catalogue.eligible[n] and name in kinds[n]),
            1,
        )
        for name in catalogue.category_name
    }
    for row, user in enumerate(row_numbers(found.offsets)):
        item = int(found.item[row])
        said = {int(r["item"]): float(r["long"]) for r in records_of(at.rows, int(user))}
        total = sum(said.values())
        liked = {
            name: sum(weight for n, weight in said.items() if name in kinds[n])
            for name in kinds[item]
        }
        split = {
            name: sum(weight / len(kinds[n]) for n, weight in said.items() if name in kinds[n])
            for name in kinds[item]
        }
        share = np.mean([liked[name] / total for name in kinds[item]]) if kinds[item] else np.nan
        np.testing.assert_allclose(shares[row], share, rtol=1e-5)
        if not np.isnan(scores[row]):
            score = sum(split[name] * buyers[item] / sold[name] for name in kinds[item])
            np.testing.assert_allclose(scores[row], score, rtol=1e-4)
