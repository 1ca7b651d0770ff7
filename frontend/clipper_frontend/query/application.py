"""An application as a query frontend serves it: its record, prepared for the query path. No I/O.

One object per application and change of its record or links: what could be computed per query is computed
here.
"""

from __future__ import annotations

from clipper_frontend.query.answers import output_json
from clipper_frontend.query.decoding import FeedbackDecoder, PredictDecoder
from clipper_frontend.query.statistics import ApplicationStatistics
from clipper_frontend.query.version import ServedVersion
from clipper_frontend.registry.records import ApplicationRecord, OnDefault

_MICROS_PER_S = 1_000_000


class Application:
    """An application and the model version that answers it.

    `model` is the linked model's name, or None; `target` the version of it that serves, or None. Queries are
    due `slo_s` after they arrived. Where the SLO is soft (`waits`) it only decides what is late, and they are
    due at `limit_s`.
    """

    __slots__ = (
        "decoder",
        "default_json",
        "feedback_decoder",
        "limit_s",
        "model",
        "name",
        "on_default",
        "slo_s",
        "statistics",
        "target",
        "waits",
    )

    def __init__(
        self,
        record: ApplicationRecord,
        statistics: ApplicationStatistics,
        *,
        model: str | None,
        target: ServedVersion | None,
        max_inputs: int,
        wait_limit_s: float,
    ) -> None:
        self.name = record.name
        self.on_default = record.on_default
        self.waits = record.on_default is OnDefault.WAIT
        self.slo_s = record.slo_micros / _MICROS_PER_S
        self.limit_s = max(self.slo_s, wait_limit_s) if self.waits else self.slo_s
        self.default_json = output_json(record.default_output.encode())
        self.decoder = PredictDecoder(record.input_type, max_inputs)
        self.feedback_decoder = FeedbackDecoder(record.input_type)
        self.statistics = statistics
        self.model = model
        self.target = target
