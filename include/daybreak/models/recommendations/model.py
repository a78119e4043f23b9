"""The recommendations as the platform sees them. An entity is a user; '' is the default row."""

from __future__ import annotations

from daybreak.models.base import Endpoint, Key, Model
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.histories import DEFAULT_USER
from daybreak.models.recommendations.nightly import ListNightly
from daybreak.models.recommendations.request import Notes, RecommendationRequest
from daybreak.models.recommendations.scorer import RecommendationScorer
from daybreak.models.recommendations.views import VIEWS


def _user(request: RecommendationRequest) -> Key:
    return (request.user_id or DEFAULT_USER,)


MODEL = Model(
    "recommendations",
    Endpoint(RecommendationRequest, entity=_user, default_key=(DEFAULT_USER,), notes=Notes),
    scorer=RecommendationScorer,
    features=FEATURES,
    nightly=ListNightly(),
    learning="daybreak.models.recommendations.learn:LEARNING",
    views=VIEWS,
)
