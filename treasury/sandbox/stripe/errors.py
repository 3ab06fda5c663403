"""Stripe's refusals, as its API words them."""

from typing import Any


class StripeError(Exception):
    """A request that Stripe refuses: HTTP status and the error object's type, code, param and message."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"type": kind, "message": message}
        if code:
            self.body["code"] = code
            self.body["doc_url"] = f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"
        if param:
            self.body["param"] = param
        self.body.update(more)


def missing(kind: str, identity: str, param: str = "id") -> StripeError:
    status = 404 if param == "id" else 400
    return StripeError(f"No such {kind}: '{identity}'", status=status, code="resource_missing", param=param)


def required(param: str) -> StripeError:
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def invalid(param: str, message: str) -> StripeError:
    return StripeError(message, code="parameter_invalid", param=param)
