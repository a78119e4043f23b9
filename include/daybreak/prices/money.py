"""Money in whole minor units ("cents"): how many decimals a currency has, there and back.

Amounts are int64 from where they come in to where they go out, so that sums and comparisons are
exact. Rounding is half to even, of the number as it is written: 1.005 is a half, although float64
holds a little less.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import ConfigError, DatasetError

_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
    "GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL "
    "MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR "
    "PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT "
    "TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_DECIMALS = dict.fromkeys(_TWO.split(), 2)
_DECIMALS |= dict.fromkeys(_NONE.split(), 0) | dict.fromkeys(_THREE.split(), 3)
"""ISO 4217, list one (SIX), currencies in use in 2026 and the lev, without funds and metals.

CLDR, as Babel has it, is about what people pay with and has none for 15 of them, the Iraqi dinar
and the forint among them: it is no source for this."""

MOST_UNITS = 2**53
"""Minor units of an amount at most: float64 counts every one up to here."""
MOST_PRICE = 2**24
"""A price is less: rows of snapshots and scores are float32, which counts every unit up to here."""
_NEAR_HALF, _LARGE = 1e-4, 2**39
"""So near a half, or beyond so many units, an amount is read as it is written: float64 is off by
less than that below them, by more beyond."""


def decimals(currency: str) -> int:
    """Decimals of the currency by ISO 4217: 2 of EUR, 0 of JPY, 3 of KWD.

    Raises ``ConfigError`` for what is no code of a currency.
    """
    if currency not in _DECIMALS:
        raise ConfigError(
            f"{currency!r} is no currency of ISO 4217.",
            remedy="Give its three letters, such as EUR, USD or JPY.",
            field="currency",
        )
    return _DECIMALS[currency]


def to_minor(amount: Decimal | float | str, currency: str) -> int:
    """The amount in minor units, rounded half to even; 12.345 EUR is 1234.

    Raises ``DatasetError`` for what is no finite number or is beyond 2^53 units.
    """
    try:
        exact = Decimal(str(amount)).scaleb(decimals(currency))
    except InvalidOperation:
        raise _refused(amount, currency, "is not a number") from None
    if not exact.is_finite():
        raise _refused(amount, currency, "is not finite")
    if abs(exact) > MOST_UNITS:
        raise _refused(amount, currency, "is beyond 2^53 minor units")
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def to_minor_array(amounts: NDArray[np.float64], currency: str) -> NDArray[np.int64]:
    """``to_minor`` of each amount, float64 (n,), as int64 (n,). The first wrong one is named."""
    with np.errstate(over="ignore"):
        units = np.asarray(amounts, np.float64) * 10.0 ** decimals(currency)
    fine = np.isfinite(units) & (np.abs(units) <= MOST_UNITS)
    if not fine.all():
        to_minor(float(amounts[np.argmin(fine)]), currency)
        raise _refused(amounts[np.argmin(fine)], currency, "is beyond 2^53 minor units")
    rounded = np.rint(units).astype(np.int64)
    near_half = np.abs(np.abs(units - np.trunc(units)) - 0.5) <= _NEAR_HALF
    for row in np.flatnonzero(near_half | (np.abs(units) > _LARGE)):  # rare in data that are money
        rounded[row] = to_minor(float(amounts[row]), currency)
    return rounded


def from_minor(units: int, currency: str) -> Decimal:
    """The amount: 1234 of EUR is 12.34, with all of the currency's decimals."""
    return Decimal(int(units)).scaleb(-decimals(currency))


def written(units: int, currency: str) -> str:
    """As people read it: ``12.34 EUR``, ``980 JPY``."""
    return f"{from_minor(units, currency):f} {currency}"


def exact_minor(amount: Decimal | float | str, currency: str) -> int:
    """Minor units of an amount that has no more decimals than its currency.

    Raises ``ValueError``, with a message that goes on after a field's name.
    """
    try:
        exact = Decimal(str(amount)).scaleb(decimals(currency))
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not a number") from None
    if not exact.is_finite() or abs(exact) > MOST_UNITS:
        raise ValueError(f"{amount} is beyond 2^53 minor units")
    if exact != exact.to_integral_value():
        raise ValueError(f"{amount} has more decimals than {currency}, {decimals(currency)}")
    return int(exact)


def _refused(amount: object, currency: str, why: str) -> DatasetError:
    return DatasetError(
        f"The amount {amount} {currency} {why}.", remedy="Correct it.", field="amount"
    )
