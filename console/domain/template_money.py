"""Amounts in minor units, as payment providers send them."""

import re
from typing import Any, Final

from console.domain.template_values import Fault, Meter, kind_of

_DECIMALS: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV"), 0),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_CODE: Final = re.compile(r"[A-Za-z]{3}")
_DIGITS_MAX: Final = 40


def money(meter: Meter, value: Any, currency: str) -> str:
    """`42.00 EUR` out of 4200; `4200 JPY`; `4.200 KWD`."""
    if not isinstance(currency, str) or not _CODE.fullmatch(currency):
        raise Fault("a currency such as EUR is needed")
    amount = _minor(value)
    code = currency.upper()
    decimals = _DECIMALS.get(code, 2)
    digits = str(abs(amount)).rjust(decimals + 1, "0")
    whole, part = (digits[:-decimals], f".{digits[-decimals:]}") if decimals else (digits, "")
    return f"{'-' if amount < 0 else ''}{whole}{part} {code}"


def _minor(value: Any) -> int:
    if isinstance(value, str) and len(value) <= _DIGITS_MAX and re.fullmatch(r"-?[0-9]+", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault(f"a whole number of minor units (cents) is needed, not {kind_of(value)}")
    return value
