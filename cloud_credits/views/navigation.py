"""This floor's places in the menu."""

from habitat.faces.navigation import NavItem

NAVIGATION = (
    NavItem("/cloud/", "Credits", 10),
    NavItem("/cloud/transactions/", "Transactions", 11),
    NavItem("/cloud/transfer/", "Transfer", 12),
    NavItem("/cloud/usage/", "Usage", 13),
    NavItem("/cloud/invoices/", "Invoices", 14),
    NavItem("/rate-cards/", "Rate cards", 20),
)
