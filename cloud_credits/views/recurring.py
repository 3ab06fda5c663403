"""`/cloud/recurring/…`: pausing, resuming and cancelling a monthly purchase, each asked once more before it is done."""

from typing import ClassVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from cloud_credits.actions import recurring as verbs
from cloud_credits.models import RecurringPurchase
from cloud_credits.policies.purchases import CHANGE_TARGET, RecurringChange
from cloud_credits.workflows.purchases import change_now
from habitat.errors import HabitatError
from habitat.faces.pages import MemberPage, new_key
from habitat.members.reports.actors import actor_of


class RecurringPage(MemberPage):
    """GET: what will happen. POST: it is asked of Stripe, once for each form. Another member's is not found."""

    change: ClassVar[RecurringChange]
    template: ClassVar[str] = "cloud_credits/recurring_change.html"

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        return self.show(request, self.found(number))

    def post(self, request: HttpRequest, number: int) -> HttpResponse:
        recurring = self.found(number)
        key = request.POST.get("key", "")
        if not key or len(key) > 100 or not key.isprintable():
            return self.show(request, recurring, refusal="This form is not whole. Send it again.", status=422)
        try:
            execution = verbs.change(
                recurring=recurring, to=self.change, idempotency_key=key, acting=actor_of(request.user)
            )
        except HabitatError as refusal:
            return self.show(request, recurring, refusal=refusal.sentence, status=refusal.status)
        now = change_now(execution, recurring)
        if now.state == CHANGE_TARGET[self.change]:
            messages.success(request, f"Your monthly purchase is {now.state} now.")
        else:
            messages.info(request, "Stripe does not answer yet. The change is kept and goes on by itself.")
        return redirect("cloud-purchases")

    def found(self, number: int) -> RecurringPurchase:
        """Raises Http404."""
        found = RecurringPurchase.objects.filter(pk=number, member_id=self.member.pk).first()
        if found is None:
            raise Http404
        return found

    def show(
        self, request: HttpRequest, recurring: RecurringPurchase, *, refusal: str = "", status: int = 200
    ) -> HttpResponse:
        context = {"recurring": recurring, "change": self.change.value, "refusal": refusal, "key": new_key()}
        return render(request, self.template, context, status=status)


class Pause(RecurringPage):
    change = RecurringChange.PAUSE


class Resume(RecurringPage):
    change = RecurringChange.RESUME


class Cancel(RecurringPage):
    change = RecurringChange.CANCEL
