"""The sign-in: an e-mail address and a password, for a member or for nobody."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


class UserManager(BaseUserManager["User"]):
    """Finds a user by e-mail without regard to case; builds one without saving a rule of its own."""

    use_in_migrations = True

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)

    def build(self, *, email: str, password: str | None, **fields: Any) -> "User":
        """An unsaved user with a hashed password (unusable when None)."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who can sign in. Roles are groups; staff reach the back office."""

    email = models.EmailField("e-mail address", max_length=254, unique=True)
    is_active = models.BooleanField("may sign in", default=True)
    is_staff = models.BooleanField("may open the back office", default=False)
    joined_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "sign-in"
        constraints: ClassVar = [
            models.UniqueConstraint(
                Lower("email"), name="user_email_unique", violation_error_message="This address already has a sign-in."
            ),
            models.CheckConstraint(
                name="user_email_present",
                condition=~Q(email=""),
                violation_error_message="A sign-in has an e-mail address.",
            ),
            models.CheckConstraint(
                name="user_never_superuser",
                condition=Q(is_superuser=False),
                violation_error_message="Rights come from roles: there are no superusers.",
            ),
        ]

    def __str__(self) -> str:
        return self.email
