"""Recordings as panels with the protocols of published tables: one file per family, one line in `catalogue`.

A loader is a function `(path, protocol, options) -> Recording`. It reads the path, makes what is missing NaN, and
returns the panel together with a `models.protocol.Protocol`, usually made by one of its three helpers:

- `rolling(length, horizons, season, description=...)`: shares of training, validation and test; an origin each stride;
- `windows(length, horizon, count, season, ...)`: the last windows that do not overlap (GIFT-Eval, fev);
- `every_origin(panel, horizons, season, train_end=..., test=range, ...)`: LTSF, errors in training standard deviations;

or by `Protocol(...)` with origins of its own. `Recording.published` holds other people's figures with their source,
`Recording.models` what is measured (a loader may add models that it alone can build, such as one with a road graph),
`Recording.candidates` the names selection may choose from, `Recording.rows` the sensors that are scored. Everything
after that - fitting, selection on validation origins, intervals, metrics, table, JSON - is the same for all.
"""
