"""`POST /api/metering/record`, `/batch` and the queued `/api/cloud/metering`: a service tells what members used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, ClassVar, Final

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.actions import metering, metering_batch, metering_queue
from cloud_credits.actions.metering_batch import BatchOutcome
from cloud_credits.api.serializers import (
    BatchResponse,
    MeteringRequest,
    MeteringResponse,
    QueuedUsage,
    QueuedUsageOutcome,
)
from cloud_credits.errors import BatchEmpty, BatchTooLarge
from cloud_credits.models import MeteringSubmission
from cloud_credits.policies.metering_batch import MOST_BYTES, MOST_EVENTS, BatchForm
from habitat.controls.api.permissions import has_scope
from habitat.controls.policies.scopes import Scope
from habitat.controls.reports.service_keys import actor_of
from habitat.faces.serializers import MomentField


@dataclass(frozen=True, slots=True)
class Events:
    """A body as it came: the batch's own rules read it, without a float and without a Python object a field."""

    form: BatchForm
    body: bytes


class JSONEvents(BaseParser):
    media_type = "application/json"
    form: ClassVar = BatchForm.JSON

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Events:
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise BatchTooLarge(events=MOST_EVENTS, bytes=MOST_BYTES)
        return Events(self.form, body)


class NDJSONEvents(JSONEvents):
    media_type = "application/x-ndjson"
    form: ClassVar = BatchForm.NDJSON


class NDJSONEventsByTheirOtherName(NDJSONEvents):
    media_type = "application/ndjson"


# What failed is operations' to know; it says nothing about the events.
TRIED_AGAIN: Final = (
    "Charging these events failed and is tried again; operations are told if it goes on. Nothing need be sent again."
)
BATCH_PARSERS: Final = [JSONEvents, NDJSONEvents, NDJSONEventsByTheirOtherName]


class MeteringRecordView(APIView):
    permission_classes = [has_scope(Scope.METERING_WRITE)]

    @extend_schema(
        operation_id="metering_record",
        request=MeteringRequest,
        responses={201: MeteringResponse, 200: MeteringResponse},
    )
    def post(self, request: Request) -> Response:
        """Prices the usage, takes the credits, books the revenue; `eventId` is the key. Again: 200, `replayed`."""
        if not isinstance(request.data, dict):
            message = "The body is one JSON object."
            raise ParseError(message)
        key = request.auth
        outcome = metering.receive(body=request.data, key_id=key.pk, acting=actor_of(key))
        code = status.HTTP_200_OK if outcome.replayed else status.HTTP_201_CREATED
        return Response(MeteringResponse(outcome).data, status=code)


class MeteringBatchView(APIView):
    permission_classes = [has_scope(Scope.METERING_WRITE)]
    parser_classes = BATCH_PARSERS

    @extend_schema(
        operation_id="metering_batch",
        request={media: MeteringRequest(many=True) for media in ("application/json", "application/x-ndjson")},
        responses={200: BatchResponse},
    )
    def post(self, request: Request) -> HttpResponse:
        """Up to 10,000 events, each judged alone and answered in its place; what is `accepted` is committed."""
        events = request.data
        if not isinstance(events, Events):
            raise BatchEmpty
        key = request.auth
        outcome = metering_batch.receive(body=events.body, form=events.form, key_id=key.pk, acting=actor_of(key))
        return HttpResponse(_told(outcome), content_type="application/json")


class MeteringQueueView(APIView):
    permission_classes = [has_scope(Scope.METERING_WRITE)]
    parser_classes = BATCH_PARSERS

    @extend_schema(
        operation_id="cloud_metering",
        request={media: MeteringRequest(many=True) for media in ("application/json", "application/x-ndjson")},
        responses={202: QueuedUsage},
    )
    def post(self, request: Request) -> Response:
        """Takes one event or an array in, and answers where to ask what became of it."""
        events = request.data
        if not isinstance(events, Events):
            raise BatchEmpty
        body = events.body.strip()
        if events.form is BatchForm.JSON and body.startswith(b"{"):
            body = b"[" + body + b"]"
        key = request.auth
        submission = metering_queue.submit(body=body, form=events.form, key_id=key.pk)
        where = reverse("api-cloud-metering-outcome", kwargs={"pk": submission.pk})
        told = {"trackingId": str(submission.pk), "state": submission.state, "events": submission.events}
        return Response(told, status=status.HTTP_202_ACCEPTED, headers={"Location": where})


class MeteringQueueOutcomeView(APIView):
    permission_classes = [has_scope(Scope.METERING_WRITE)]

    @extend_schema(operation_id="cloud_metering_outcome", responses={200: QueuedUsageOutcome})
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Whether the events still wait, how often charging them failed and when it is tried next, or what became of
        each. Another service's are not found."""
        found = get_object_or_404(MeteringSubmission.objects.sent_by(request.auth).defer("body"), pk=pk)
        return HttpResponse(_outcome(found), content_type="application/json")


def _outcome(found: MeteringSubmission) -> str:
    received = MomentField().to_representation(found.received_at)
    told = f'"trackingId":"{found.pk}","state":"{found.state}","events":{found.events},"receivedAt":"{received}"'
    if found.done_at is None:
        due = MomentField().to_representation(found.due_at)
        failed = f',"note":"{TRIED_AGAIN}"' if found.attempts else ""
        return f'{{{told},"attempts":{found.attempts},"dueAt":"{due}"{failed}}}'
    done = MomentField().to_representation(found.done_at)
    counts = (
        f'"doneAt":"{done}","accepted":{found.accepted},"duplicates":{found.duplicates},'
        f'"conflicts":{found.conflicts},"rejected":{found.rejected}'
    )
    return f'{{{told},{counts},"answers":{found.answers}}}'


def _told(outcome: BatchOutcome) -> str:
    """The answers were written as JSON where they were found; here they are only put together."""
    counts = (
        f'"accepted":{outcome.accepted},"duplicates":{outcome.duplicates},'
        f'"conflicts":{outcome.conflicts},"rejected":{outcome.rejected}'
    )
    return f'{{{counts},"answers":[{",".join(outcome.answers)}]}}'
