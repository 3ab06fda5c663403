"""The back office's menu: every list a person may open, grouped by floor, from what each floor registered."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

# Floors from the top of the house down, as people meet them; an app that is not here comes last under its own name.
FLOORS: Final = (
    ("patronage", "Patronage"),
    ("cloud_credits", "Credits"),
    ("treasury", "Books"),
    ("members", "Members"),
    ("controls", "Controls"),
    ("notifications", "Notifications"),
    ("events", "Events"),
    ("workflows", "Jobs and sagas"),
)
ICONS: Final = {
    "member": "person",
    "user": "login",
    "cloudbalance": "account_balance_wallet",
    "cloudtransaction": "swap_horiz",
    "stakingposition": "lock_clock",
    "receivable": "request_quote",
    "purchase": "shopping_cart",
    "recurringpurchase": "event_repeat",
    "paymentmint": "add_card",
    "refundrequest": "undo",
    "clawback": "keyboard_return",
    "termsversion": "contract",
    "termsacceptance": "task_alt",
    "mintswitch": "toggle_on",
    "backingcheck": "shield",
    "ensregistration": "badge",
    "chainblock": "link",
    "ratecard": "price_change",
    "ratecardoutcome": "gavel",
    "ratecardelector": "groups",
    "ratecardballot": "how_to_vote",
    "ratecardreminder": "alarm",
    "resourceusage": "speed",
    "meteringrefusal": "block",
    "meteringsubmission": "hourglass_empty",
    "spendcap": "savings",
    "topup": "autorenew",
    "selfmetercharge": "timer",
    "usageimport": "upload_file",
    "idempotencykey": "fingerprint",
    "account": "account_tree",
    "period": "calendar_month",
    "journalentry": "menu_book",
    "journalline": "format_list_numbered",
    "reconciliationrun": "rule",
    "reconciliationexception": "report",
    "payment": "payments",
    "refund": "undo",
    "dispute": "gavel",
    "payout": "account_balance",
    "stripeevent": "webhook",
    "stripemovement": "swap_vert",
    "stripereading": "monitoring",
    "bankaccount": "account_balance",
    "bankline": "receipt_long",
    "bankrowaside": "report",
    "bankmatch": "join_inner",
    "bill": "request_page",
    "setting": "tune",
    "approval": "how_to_reg",
    "alert": "notifications_active",
    "servicekey": "key",
    "webhookendpoint": "webhook",
    "webhookdelivery": "outgoing_mail",
    "event": "bolt",
    "delivery": "outbox",
    "job": "schedule",
    "execution": "conversion_path",
    "notification": "inbox",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the back office that is no list of a model."""

    path: str
    title: str
    icon: str
    permission: str


_pages: dict[str, Page] = {}


def register(*pages: Page) -> None:
    """Called from `AppConfig.ready`; the same path again replaces the former page."""
    _pages.update({page.path: page for page in pages})


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold's SIDEBAR navigation for this person: the home page, then one group a floor."""
    apps = {app["app_label"]: app for app in admin.site.get_app_list(request)}
    known = [label for label, _title in FLOORS]
    titles = dict(FLOORS)
    order = [label for label in known if label in apps] + sorted(label for label in apps if label not in known)
    items = [_item("Home", "home", reverse("admin:index")), _item("Portal", "web", "/cloud/")]
    items += [
        _item(page.title, page.icon, page.path) for page in _pages.values() if request.user.has_perm(page.permission)
    ]
    home = {"title": "", "items": items}
    groups = [
        {
            "title": titles.get(label, apps[label]["name"]),
            "separator": True,
            "collapsible": True,
            "items": [
                _item(model["name"], ICONS.get(model["object_name"].lower(), "table_rows"), model["admin_url"])
                for model in apps[label]["models"]
                if model.get("admin_url")
            ],
        }
        for label in order
    ]
    return [home, *groups]


def _item(title: str, icon: str, link: str) -> dict[str, Any]:
    return {"title": str(title)[:1].upper() + str(title)[1:], "icon": icon, "link": link}
