"""Products and prices, as far as a line item needs them."""

from typing import Any

import stripe as package

from treasury.sandbox.store import Document
from treasury.sandbox.stripe import forms, shapes
from treasury.sandbox.stripe.calls import Call, route
from treasury.sandbox.stripe.errors import StripeError, invalid, required

INTERVALS = ("day", "week", "month", "year")


@route("POST", "/v1/products", package.params.ProductCreateParams)
def create_product(call: Call) -> Document:
    if not call.params.get("name"):
        raise required("name")
    product = shapes.product(call.params["name"])
    product["description"] = forms.text(call.params, "description")
    product["metadata"] = forms.metadata(call.params)
    call.store.insert("prod", product)
    call.emit("product.created", product)
    return product


@route("POST", "/v1/prices", package.params.PriceCreateParams)
def create_price(call: Call) -> Document:
    price, _ = new_price(call, call.params, "")
    call.emit("price.created", price)
    return price


def price_from(call: Call, wanted: Any, param: str) -> tuple[Document, str]:
    """The price of a line item: a stored one, or one made of its `price_data`; with the product's name."""
    if not isinstance(wanted, dict) or not (wanted.get("price") or wanted.get("price_data")):
        raise required(f"{param}[price_data]")
    if wanted.get("price"):
        price = call.need("price", wanted["price"], f"{param}[price]")
        return price, call.need("product", price["product"])["name"]
    return new_price(call, wanted["price_data"], f"{param}[price_data]")


def new_price(call: Call, data: Any, param: str) -> tuple[Document, str]:
    if not isinstance(data, dict):
        raise invalid(param, "Invalid hash")
    forms.currency(data)
    amount = forms.integer(data, "unit_amount")
    if amount < 0:
        raise StripeError("Invalid non-negative integer", code="parameter_invalid_integer", param="unit_amount")
    if data.get("product"):
        product = call.need("product", data["product"], "product")
    else:
        name = (data.get("product_data") or {}).get("name")
        if not name:
            raise required(f"{param}[product_data][name]")
        product = call.store.insert("prod", shapes.product(name))
    price = shapes.price(product["id"], amount, _recurring(data.get("recurring"), param))
    price["metadata"] = forms.metadata(data)
    return call.store.insert("price", price), product["name"]


def _recurring(data: Any, param: str) -> Document | None:
    if not data:
        return None
    if data.get("interval") not in INTERVALS:
        raise invalid(f"{param}[recurring][interval]", f"Invalid interval: must be one of {', '.join(INTERVALS)}")
    return shapes.recurring(data["interval"], forms.integer(data, "interval_count", 1))
