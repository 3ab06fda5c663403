"""This floor's places in the menu."""

from habitat.faces.navigation import NavItem

NAVIGATION = (
    NavItem("/cloud/", "Credits", 10),
    NavItem("/cloud/buy/", "Buy", 11),
    NavItem("/cloud/transfer/", "Transfer", 12),
    NavItem("/cloud/transactions/", "Transactions", 13),
    NavItem("/cloud/purchases/", "Purchases", 14),
    NavItem("/cloud/usage/", "Usage", 15),
    NavItem("/cloud/spending/", "Spending", 16),
    NavItem("/cloud/invoices/", "Invoices", 17),
    NavItem("/rate-cards/", "Rate cards", 20),
)
