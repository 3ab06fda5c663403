"""RFC 9457 problem documents: every error an API gives, with a stable `code` and the sentence people see."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from habitat.errors import HabitatError

PROBLEM_MEDIA_TYPE = "application/problem+json"


def problem_response(
    *, status_code: int, code: str, detail: str, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    """One problem document. `members` are the extension members of RFC 9457 §3.2."""
    body = {"type": f"/help/errors/#{code}", "title": code.replace("_", " "), "status": status_code}
    body |= {"detail": detail, "code": code} | {name: value for name, value in members.items() if value is not None}
    return Response(body, status=status_code, headers=headers, content_type=PROBLEM_MEDIA_TYPE)


def problem_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: named refusals first, then what DRF itself raises; anything else stays a 500."""
    if isinstance(error, HabitatError):
        set_rollback()
        details = {name: str(value) for name, value in error.details.items()}
        return problem_response(
            status_code=error.status,
            code=error.code,
            detail=error.sentence,
            field=error.field,
            details=details or None,
        )
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is nothing here, or it is not yours to see.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    headers = {name: response[name] for name in ("WWW-Authenticate", "Retry-After") if name in response}
    if isinstance(error, exceptions.ValidationError):
        return problem_response(
            status_code=status.HTTP_422_UNPROCESSABLE_ENTITY,
            code="invalid_input",
            detail="Some of what was sent is missing or not right; `errors` names each field.",
            headers=headers,
            field=next(iter(error.detail)) if isinstance(error.detail, dict) else None,
            errors=error.detail,
        )
    return problem_response(
        status_code=error.status_code, code=str(error.default_code), detail=str(error.detail), headers=headers
    )
