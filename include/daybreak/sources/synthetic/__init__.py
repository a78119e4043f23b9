"""A seeded shop whose true demand is known, so that a forecast can be held against its floor.

``generate(ShopOptions(...))`` gives a `Shop`: tables for loading (``Shop.stream(section)`` yields
record batches), and ``Shop.truth`` for judging, with `floor_wape` on any slice of it.
"""

from daybreak.sources.synthetic.options import ShopOptions, shop_options
from daybreak.sources.synthetic.shop import SCHEMAS, Shop, generate
from daybreak.sources.synthetic.truth import Truth, demand_median, floor_wape
from daybreak.sources.synthetic.truth_prices import units_at

__all__ = [
    "SCHEMAS",
    "Shop",
    "ShopOptions",
    "Truth",
    "demand_median",
    "floor_wape",
    "generate",
    "shop_options",
    "units_at",
]
