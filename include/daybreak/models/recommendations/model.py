"""The recommendations as the platform sees them. An entity is a user; '' is the default row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daybreak.models.base import Endpoint, Example, Key, Model
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.histories import DEFAULT_USER
from daybreak.models.recommendations.nightly import ListNightly
from daybreak.models.recommendations.request import Notes, RecommendationRequest
from daybreak.models.recommendations.scorer import RecommendationScorer
from daybreak.models.recommendations.sections import SECTIONS
from daybreak.models.recommendations.views import VIEWS


def _user(request: RecommendationRequest) -> Key:
    return (request.user_id or DEFAULT_USER,)


def _request(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"user_id": row["user_id"]} if row["user_id"] else {}


def _item(user: str, rank: int, item: str, score: float, reason: str) -> dict[str, object]:
    return {
        "user_id": user,
        "rank": rank,
        "item_id": item,
        "score": score,
        "reason": reason,
        "because": "",
    }


EXAMPLES = {
    "The list of a user": Example(
        {"user_id": "U000017", "k": 2},
        [
            _item("U000017", 1, "I0044", 1.371721, "again"),
            _item("U000017", 2, "I0012", 1.120347, "again"),
        ],
        "published",
        {"unknown_items": []},
    ),
    "A session, within what is in stock": Example(
        {
            "user_id": "U000017",
            "session": ["I0012", "I0021"],
            "k": 1,
            "exclude": ["I0005"],
            "exclude_purchased": True,
            "allow": ["I0001", "I0005", "I0009", "I0014", "I0018", "I0022", "NEW"],
        },
        [_item("U000017", 1, "I0009", 0.842911, "trending")],
        "live",
        {"unknown_items": ["NEW"]},
    ),
    "Nobody in particular": Example(
        {"k": 1}, [_item("", 1, "I0003", 0.5113, "popular")], "default", {"unknown_items": []}
    ),
}
"""On the data of the demo."""

MODEL = Model(
    "recommendations",
    Endpoint(
        RecommendationRequest,
        entity=_user,
        default_key=(DEFAULT_USER,),
        notes=Notes,
        examples=EXAMPLES,
        request_of=_request,
    ),
    scorer=RecommendationScorer,
    features=FEATURES,
    nightly=ListNightly(),
    learning="daybreak.models.recommendations.learn:LEARNING",
    views=VIEWS,
    sections=SECTIONS,
)
