"""JSON in, without a float: numbers arrive as exact Decimals, NaN and Infinity are refused."""

import codecs
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, Final, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from habitat.errors import BodyTooLarge, CharsetNotUTF8

MOST_BYTES: Final = 1_048_576

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
    """DRF's JSON parser with `parse_float=Decimal`, of UTF-8 alone (RFC 8259 §8.1) and at most `MOST_BYTES`.

    Raises BodyTooLarge, CharsetNotUTF8, ParseError.
    """

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        charset = str((parser_context or {}).get("encoding", "utf-8"))
        # Some of Python's codecs unpack: what they are given is not what they make of it.
        if codecs.lookup(charset).name != "utf-8":
            raise CharsetNotUTF8(given=charset)
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise BodyTooLarge(most=MOST_BYTES)
        try:
            text = body.decode()
            found = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique)
            if _SURROGATE.search(text):
                # Half a character fits in a string of Python's, but in no answer, no log and no database.
                json.dumps(found, ensure_ascii=False, default=str).encode()
        except (ValueError, RecursionError, TypeError) as error:
            message = f"The body is not valid JSON: {error}"
            raise ParseError(message) from error
        return found
