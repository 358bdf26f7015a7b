"""Values as JSON text and back, whatever characters a model wrote."""

from __future__ import annotations

import json

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from abaci.errors import TraceStoreError
from abaci.types import TraceEvent


def to_json(value: BaseModel) -> str:
    """JSON text of `value`, always encodable as UTF-8.

    A model or a server may produce half a surrogate pair, which no JSON reader accepts: it becomes U+FFFD.
    """
    try:
        return value.model_dump_json()
    except PydanticSerializationError:
        text = json.dumps(value.model_dump(), ensure_ascii=False)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def parse_event(text: str, location: str) -> TraceEvent:
    """The event that `to_json` wrote.

    Raises:
        TraceStoreError: `text` is damaged or of another version; names `location` and the reason.
    """
    try:
        return TraceEvent.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "text"
        raise TraceStoreError(
            f"trace store {location} holds an event that this version cannot read ({where}: {first['msg']}); "
            "it is damaged, or a newer abaci wrote it"
        ) from error
