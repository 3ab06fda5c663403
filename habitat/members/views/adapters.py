"""How sign-in behaves here: nobody signs up by themselves, and where people land."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class MembersAccountAdapter(DefaultAccountAdapter):
    """Members are registered by operations; an invitation is a link that sets the first password."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> Any:
        return "/settings/"
