"""The ISO 8601 texts of times and durations, Python's and NumPy's."""

from __future__ import annotations

import datetime
from typing import Any, Optional

import numpy as np

_DATE_UNITS = ("Y", "M", "W", "D")


def moment_text(moment: np.datetime64) -> Optional[str]:
    """Return a NumPy time as text, without digits that are zero; None if it is no time."""
    if np.isnat(moment):
        return None
    unit = np.datetime_data(moment.dtype)[0]
    micros = moment if unit in _DATE_UNITS else moment.astype("datetime64[us]")
    item = micros.item()
    if unit not in _DATE_UNITS and micros == moment and isinstance(item, datetime.datetime):
        return item.isoformat()
    return str(moment)


def span_text(span: np.timedelta64) -> Optional[str]:
    """Return a NumPy duration as text; None if it is no duration."""
    if np.isnat(span):
        return None
    unit = np.datetime_data(span.dtype)[0]
    if unit in ("Y", "M"):
        return f"P{span.astype(np.int64)}{unit}"
    item: Any = span.astype("timedelta64[us]").item()
    return duration_text(item) if isinstance(item, datetime.timedelta) else str(span)


def duration_text(duration: datetime.timedelta) -> str:
    """Return a duration as text, such as `P1DT2H30M0.5S`."""
    sign, duration = ("-", -duration) if duration < datetime.timedelta() else ("", duration)
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{duration.microseconds:06d}".rstrip("0") if duration.microseconds else ""
    return f"{sign}P{duration.days}DT{hours}H{minutes}M{seconds}{fraction}S"
