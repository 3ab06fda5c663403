"""JSON in, without a float: numbers arrive as exact Decimals, NaN and Infinity are refused."""

import codecs
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An amount that stands twice would be one number to us and another to whatever read the body before us."""
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a name stands twice in one object"
        raise ValueError(message)
    return found


class ExactJSONParser(JSONParser):
    """DRF's JSON parser with `parse_float=Decimal`."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        encoding = (parser_context or {}).get("encoding", "utf-8")
        try:
            text = codecs.getreader(encoding)(stream).read()
            found = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique)
            if _SURROGATE.search(text):
                # Half a character fits in a string of Python's, but in no answer, no log and no database.
                json.dumps(found, ensure_ascii=False, default=str).encode()
        except (ValueError, LookupError, RecursionError, TypeError) as error:
            message = f"The body is not valid JSON: {error}"
            raise ParseError(message) from error
        return found
