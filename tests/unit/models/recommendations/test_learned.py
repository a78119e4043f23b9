"""What a version keeps beside its trees: bytes that depend on contents alone."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from daybreak.errors import ArtifactAltered
from daybreak.facts.events import Events
from daybreak.models.arrays import pack, unpack
from daybreak.models.recommendations.features.catalogue import build_catalogue, item_days
from daybreak.models.recommendations.features.learned import (
    LEARNED_STATISTICS,
    NEIGHBOURS,
    Learned,
    on_the_day,
)
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from random_events import TODAY, random_events

KERNELS = Kernels(neighbours=5)


@pytest.fixture(scope="module")
def events() -> Events:
    return random_events(21, users=30, items=20, events=800)


@pytest.fixture(scope="module")
def learned(events: Events) -> Learned:
    return learn(events, KERNELS, threads=1)


def test_arrays_come_back_and_bytes_are_the_same() -> None:
    arrays = {"b": np.arange(3), "a": np.array(["x", "ÿ"]), "c": np.zeros((0, 2), np.float32)}
    content = pack(arrays)
    assert pack(dict(reversed(arrays.items()))) == content
    back = unpack(content)
    assert sorted(back) == ["a", "b", "c"]
    for name, values in arrays.items():
        assert back[name].dtype == values.dtype
        np.testing.assert_array_equal(back[name], values)


def test_the_archive_does_not_say_when_it_was_made() -> None:
    with zipfile.ZipFile(io.BytesIO(pack({"a": np.arange(3)}))) as archive:
        assert [entry.date_time for entry in archive.infolist()] == [(1980, 1, 1, 0, 0, 0)]


def test_python_objects_are_neither_written_nor_read() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        pack({"a": np.array([{}], object)})


@pytest.mark.parametrize("content", [b"", b"not a zip", pack({"a": np.arange(9)})[:-30]])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ArtifactAltered, match="not an archive"):
        unpack(content)


def test_learned_comes_back_from_its_bytes(learned: Learned) -> None:
    content = learned.to_bytes()
    back = Learned.from_bytes(content)
    assert back.to_bytes() == content
    assert back.item_id.tolist() == learned.item_id.tolist()
    other = replace(learned, popular_days=14)
    assert Learned.from_bytes(other.to_bytes()).popular_days == 14
    assert other.to_bytes() != content
    for name in NEIGHBOURS:
        np.testing.assert_array_equal(
            back.neighbours[name].toarray(), learned.neighbours[name].toarray()
        )


def test_a_missing_array_is_named(learned: Learned) -> None:
    arrays = unpack(learned.to_bytes())
    del arrays["bm25.data"]
    with pytest.raises(ArtifactAltered, match=r"bm25\.data"):
        Learned.from_bytes(pack(arrays))


def test_days_that_nobody_counts_are_refused(learned: Learned) -> None:
    arrays = unpack(learned.to_bytes()) | {"popular_days": np.array(5)}
    with pytest.raises(ArtifactAltered, match="bought in 5 days; those of 3, 7, 14, 28, 90 are"):
        Learned.from_bytes(pack(arrays))


def test_places_outside_a_matrix_are_refused(learned: Learned) -> None:
    arrays = dict(unpack(learned.to_bytes()))
    arrays["bm25.indices"] = arrays["bm25.indices"] + np.int32(10**6)
    with pytest.raises(ArtifactAltered, match="holds no matrix of its"):
        Learned.from_bytes(pack(arrays))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_events_give_the_same_bytes(
    events: Events, learned: Learned, threads: int
) -> None:
    assert learn(events, KERNELS, threads=threads).to_bytes() == learned.to_bytes()


def test_an_item_is_not_its_own_neighbour_and_has_no_more_than_asked(learned: Learned) -> None:
    for name in NEIGHBOURS:
        matrix = learned.neighbours[name]
        assert matrix.diagonal().sum() == 0
        assert np.diff(matrix.indptr).max() <= KERNELS.neighbours
        assert (matrix.data > 0).all()
        assert matrix.nnz > 0


def test_what_is_bought_in_one_basket_goes_together() -> None:
    # Items 0 and 1 are always in one basket, item 2 always alone.
    count = 12
    item = np.tile([0, 1, 2], count // 3)
    events = Events(
        np.array(["a", "b"], object),
        np.array(["i0", "i1", "i2"], object),
        np.array(["", "", ""], object),
        np.repeat([-1, 1], 6).astype(np.int32),
        item.astype(np.int32),
        np.full(count, 100, np.int32),
        np.arange(count),
        np.repeat(np.arange(4) * 2 + 1, 3) + (item == 2),
        np.ones(count),
        np.ones(count),
        np.ones(count),
    )
    weight = 4 / (4 + KERNELS.ease_penalty)  # a regression on one item, over four baskets
    basket = learn(events, KERNELS, threads=1).neighbours["basket"].toarray()
    assert basket[0, 1] == pytest.approx(weight)
    assert basket[1, 0] == pytest.approx(weight)
    assert basket[2].sum() == basket[:, 2].sum() == 0


def test_how_often_an_item_is_bought_again_leans_on_the_shop_s_mean(
    events: Events, learned: Learned
) -> None:
    bought = {
        (int(u), int(i), int(d))
        for u, i, d, w in zip(events.user, events.item, events.day, events.weight, strict=True)
        if w >= 1 and u >= 0
    }
    users = len({(u, i) for u, i, _ in bought})
    mean = len(bought) / users
    for item in range(len(events.item_ids)):
        times = sum(i == item for _, i, _ in bought)
        buyers = len({u for u, i, _ in bought if i == item})
        wanted = {"item_rebought": (times + 10 * mean) / (buyers + 10) - 1, "item_users": buyers}
        np.testing.assert_allclose(
            learned.statistics[item], [wanted[name] for name in LEARNED_STATISTICS], rtol=1e-5
        )


def test_items_that_either_side_does_not_know_are_left_out(
    events: Events, learned: Learned
) -> None:
    # On the day, item I003 is gone and one that training has not seen stands first.
    other = random_events(22, items=20)
    names = np.array(["A000", *[f"I{n:03d}" for n in range(20) if n != 3]], object)
    day = Events(other.user_ids, names, *(getattr(other, name) for name in list(vars(other))[2:]))
    catalogue = build_catalogue(item_days(day), TODAY)
    here = on_the_day(replace(learned, popular_days=7), catalogue)
    assert here.popular_days == 7

    assert np.isnan(here.statistics[0]).all()
    old = [n for n in range(20) if n != 3]
    for name in NEIGHBOURS:
        before = learned.neighbours[name].toarray()[np.ix_(old, old)]
        after = here.neighbours[name].toarray()
        assert after[0].sum() == after[:, 0].sum() == 0
        np.testing.assert_array_equal(after[1:, 1:], before * catalogue.eligible[None, 1:])
        np.testing.assert_array_equal(here.incoming[name].toarray(), after.T)
    np.testing.assert_array_equal(here.statistics[1:], learned.statistics[old])
