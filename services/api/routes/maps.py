"""Code concerned with `/map`: districts, roads and water as GeoJSON for maps of any kind."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path
from starlette.responses import Response

from services.api.deps import ConnectionDep
from services.api.documents import documented
from services.api.formats import MEDIA_TYPES, Format
from services.api.schemas import FeatureCollection
from services.errors import NotFoundError
from services.storage import sensors

router = APIRouter(tags=["Map"])


@router.get(
    "/map/{layer}", responses=documented(FeatureCollection, Format.GEOJSON), summary="Districts, roads or water"
)
def read_layer(
    connection: ConnectionDep,
    layer: Annotated[Literal["districts", "roads", "water"], Path(description="Which layer.", examples=["districts"])],
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """One layer as a GeoJSON FeatureCollection; with an ETag, since it hardly ever changes."""
    text = sensors.district_features(connection) if layer == "districts" else sensors.layer_features(connection, layer)
    if text is None:
        message = f"this city has no layer {layer!r}"
        raise NotFoundError(message)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    if if_none_match is not None and (if_none_match.strip() == "*" or tag in if_none_match):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(text, media_type=MEDIA_TYPES[Format.GEOJSON], headers={"ETag": tag})
