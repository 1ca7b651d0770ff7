"""Linear models of R's: a function around one, and a fitted model itself."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from clipper_nomad.deployers import r as r_deployer
from tests.support.frameworks.case import Case, deployer, run
from tests.support.frameworks.r import R

_TRAIN = """
set.seed(7)
x <- matrix(rnorm(600 * 6), ncol = 6)
train <- as.data.frame(x)
train$y <- rowSums(sin(x)) + rnorm(600)
line <- lm(y ~ ., train)
curve <- lm(y ~ . + I(V1^2), train)
held_out <- matrix(rnorm(200 * 6), ncol = 6)

as_rows <- function(inputs) as.data.frame(do.call(rbind, inputs))
predict_line <- function(inputs) {
  print(length(inputs))
  predict(line, as_rows(inputs))
}
save_model(predict_line, held_out[1, ], "line")
save_model(curve, unlist(as.data.frame(held_out)[1, ]), "curve")
save_model(predict_line, held_out[1, ], "broken")
writeLines("no model", "broken/model/model.rds")
seen <- list(rows = held_out, line = predict(line, as.data.frame(held_out)),
  curve = predict(curve, as.data.frame(held_out)))
writeLines(jsonlite::toJSON(lapply(seen, unname), digits = NA), "seen.json")
"""


def make_case() -> Case:
    """Return the case of a function, and of a fitted model that follows it."""
    folder = Path(tempfile.mkdtemp())
    R(folder).save(_TRAIN, folder)
    seen = json.loads((folder / "seen.json").read_text())
    return Case(
        name="r",
        input_type="doubles",
        rows=seen["rows"],
        answers=seen["line"],
        others=seen["curve"],
        deploy=deployer(r_deployer.deploy_r_model, "doubles", folder / "line"),
        deploy_other=deployer(r_deployer.deploy_r_model, "doubles", folder / "curve" / "model" / "model.rds"),
        deploy_broken=deployer(r_deployer.deploy_r_model, "doubles", folder / "broken"),
        wrong_input=[1.0, 2.0],
    )


if __name__ == "__main__":
    run(make_case)
