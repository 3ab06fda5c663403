"""The pages a payer sees: Checkout, a receipt, an invoice. Plain HTML that needs no JavaScript."""

from html import escape

from treasury.sandbox.store import Document
from treasury.sandbox.stripe.cards import BY_NUMBER, INSTRUMENTS
from treasury.sandbox.stripe.forms import dollars

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 34rem; color: #1a1f36;
  background: #fff; }
h1 { font-size: 1.4rem; } fieldset { border: 1px solid #697386; border-radius: .3rem; margin: 1rem 0; }
label { display: block; padding: .35rem 0; } input[type=text] { font: inherit; width: 100%; padding: .5rem;
  box-sizing: border-box; border: 1px solid #697386; border-radius: .3rem; }
button { font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: .3rem; background: #3f38c9; color: #fff;
  min-height: 2.75rem; cursor: pointer; }
a { color: #3f38c9; } :focus-visible { outline: 3px solid #c05600; outline-offset: 2px; }
[role=alert] { border-left: .3rem solid #b3093c; padding: .5rem 1rem; background: #fdf0f3; }
.note { background: #fff6d6; padding: .5rem 1rem; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem 0; } td:last-child, th:last-child { text-align: right; }
"""


def page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        '<p class="note">Sandbox: no money moves here.</p>'
        f"{body}</main></body></html>"
    )


def _items(lines: list[tuple[str, int]], total: int | None) -> str:
    rows = "".join(f"<tr><td>{escape(text)}</td><td>${dollars(cents)}</td></tr>" for text, cents in lines)
    return (
        '<table><thead><tr><th scope="col">Item</th><th scope="col">USD</th></tr></thead>'
        f'<tbody>{rows}</tbody><tfoot><tr><th scope="row">Total</th>'
        f"<td>${dollars(total or 0)}</td></tr></tfoot></table>"
    )


def _choices(saved: list[Document], types: list[str]) -> str:
    parts = []
    for method in saved:
        details = method[method["type"]]
        label = f"Saved {details.get('brand') or details.get('bank_name')} ending in {details['last4']}"
        parts.append(_radio("saved", method["id"], label, first=not parts))
    for instrument in INSTRUMENTS:
        if instrument.kind in types:
            label = f"{_spaced(instrument.number)}: {instrument.label}"
            parts.append(_radio("saved", instrument.token, label, first=not parts))
    return "".join(parts)


def _spaced(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _radio(name: str, value: str, label: str, *, first: bool) -> str:
    checked = " checked" if first else ""
    return f'<label><input type="radio" name="{name}" value="{escape(value)}"{checked}> {escape(label)}</label>'


def checkout(session: Document, saved: list[Document], error: str = "") -> str:
    """The form of an open session: a saved method, a test card by choice, or a number typed in."""
    lines = [(item["description"] or "", item["amount_total"]) for item in session["_line_items"]]
    alert = f'<p role="alert">{escape(error)}</p>' if error else ""
    back = session["cancel_url"]
    cancel = f'<p><a href="{escape(back)}">Back without paying</a></p>' if back else ""
    total = dollars(session["amount_total"] or 0)
    word = {"subscription": "Subscribe and pay", "setup": "Save"}.get(session["mode"], "Pay")
    return page(
        "Checkout",
        f"<h1>Checkout</h1>{alert}{_items(lines, session['amount_total'])}"
        '<form method="post"><fieldset><legend>Pay with</legend>'
        f"{_choices(saved, session['payment_method_types'])}</fieldset>"
        '<label for="number">Or a test card number (used when filled in)</label>'
        '<input type="text" id="number" name="card" inputmode="numeric" autocomplete="cc-number">'
        f'<p><button type="submit">{word} ${total}</button></p></form>{cancel}',
    )


def confirm(session: Document, chosen: str) -> str:
    """The step in which the payer's bank asks."""
    return page(
        "Confirm with your bank",
        "<h1>Confirm with your bank</h1><p>Your bank asks whether it is you who pays "
        f"${dollars(session['amount_total'] or 0)}.</p>"
        '<form method="post"><input type="hidden" name="saved" '
        f'value="{escape(chosen)}"><p><button type="submit" name="authenticate" value="yes">Confirm</button> '
        '<button type="submit" name="authenticate" value="no">Refuse</button></p></form>',
    )


def finished(session: Document) -> str:
    words = {"complete": "This checkout is complete.", "expired": "This checkout has expired."}
    back = session["success_url"] if session["status"] == "complete" else session["cancel_url"]
    link = f'<p><a href="{escape(back)}">Go on</a></p>' if back else ""
    return page("Checkout", f"<h1>{words.get(session['status'], 'This checkout is closed.')}</h1>{link}")


def receipt(charge: Document) -> str:
    method = charge["payment_method_details"]
    last4 = method[method["type"]]["last4"]
    return page(
        "Receipt",
        f"<h1>Receipt</h1><p>{escape(charge['id'])}, paid with {escape(method['type'])} ending in {last4}.</p>"
        + _items([(charge["description"] or "Payment", charge["amount"])], charge["amount"])
        + f"<p>Refunded: ${dollars(charge['amount_refunded'])}</p>",
    )


def invoice(document: Document) -> str:
    lines = [(line["description"] or "", line["amount"]) for line in document["lines"]["data"]]
    return page(
        f"Invoice {document['number']}",
        f"<h1>Invoice {escape(document['number'] or '')}</h1><p>Status: {escape(document['status'])}</p>"
        + _items(lines, document["total"]),
    )


def known_number(typed: str) -> bool:
    return typed.replace(" ", "").replace("-", "") in BY_NUMBER
