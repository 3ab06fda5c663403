"""How amounts and times look on every page."""

from decimal import Decimal

from django import template

register = template.Library()
