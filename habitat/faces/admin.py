"""The back office's grammar: pages that only read, and verbs that act, by POST, with a reason, through one action each.

A `HouseAdmin` shows and never writes. What people may do to an object is a tuple of `Verb`s; each has an address of its
own that takes POST alone, checks the permission on the server, finds the object through `visible_to`, and calls one
action. What the action refuses comes back on a page with the form and the same sentence, under the refusal's status.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, ClassVar, Final, Protocol
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.contrib.admin.options import ModelAdmin as DjangoModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.views.decorators.http import require_GET, require_POST
from import_export.admin import ExportMixin as ImportExportMixin
from import_export.formats.base_formats import CSV, XLSX
from import_export.resources import ModelResource
from unfold.admin import ModelAdmin

from habitat.errors import HabitatError

KEY_FIELD: Final = "verb_key"
SEEN_FIELD: Final = "verb_seen"
KEYS_REMEMBERED: Final = 50
USED_KEYS: Final = "verb_keys_used"


class ActorLike(Protocol):
    """What `habitat.members` knows as Actor: this floor lies below it."""

    @property
    def name(self) -> str: ...
    def may(self, permission: str) -> bool: ...


ActorSource = Callable[[HttpRequest], ActorLike]
_actor_source: list[ActorSource] = []


def use_actors(source: ActorSource) -> None:
    """The floor that knows people says how a request becomes an actor (AppConfig.ready of members)."""
    _actor_source[:] = [source]


def actor_for(request: HttpRequest) -> ActorLike:
    return _actor_source[0](request)


class VerbForm(forms.Form):
    """Base of every verb's form: the one-time key travels with it."""

    verb_key = forms.CharField(max_length=200, widget=forms.HiddenInput)

    @property
    def typed(self) -> dict[str, Any]:
        """What the action is told: the cleaned fields without the key."""
        return {name: value for name, value in self.cleaned_data.items() if name != KEY_FIELD}


class ReasonForm(VerbForm):
    """Whatever changes money or rules says why."""

    reason = forms.CharField(
        label="Reason",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Recorded with your name, for ever.",
    )
    # Own fields of subclasses come first, the reason last.
    field_order: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([name for name in self.fields if name != "reason"])


@dataclass(frozen=True, slots=True)
class Done:
    """What a verb's `run` may return: words for the person, a secret to show this once, or where to go next."""

    message: str = ""
    secret: str = ""
    go_to: str = ""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What a verb's `preview` says before money moves: facts by name, and what cannot be undone."""

    facts: Sequence[tuple[str, str]]
    warning: str = ""


def _always(_: Any) -> bool:
    return True


def _nothing(_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Verb:
    """Something a person may do.

    `run(obj, *, acting, key, **fields)` calls one action (`run(*, acting, key, **fields)` for a list's verb). `key` is
    new for each form shown, so that a form sent twice is one request. `available(obj)` hides the button; the action
    decides. `warning` says what cannot be undone. `preview(obj, *, acting, **fields)` makes a second page of it: the
    first form leads to what it returns, and only the button there acts.
    """

    name: str
    label: str
    permission: str
    run: Callable[..., Any]
    form: type[VerbForm] = ReasonForm
    available: Callable[[Any], bool] = _always
    initial: Callable[[Any], dict[str, Any]] = _nothing
    danger: bool = False
    warning: str = ""
    done: str = ""
    preview: Callable[..., SecondLook] | None = None

    @property
    def dialog_id(self) -> str:
        return f"verb-{self.name}"

    def bound(self, data: Any, obj: Any) -> VerbForm:
        return self._prepared(self.form(data, auto_id=f"{self.name}_%s"), obj)

    def fresh(self, obj: Any) -> VerbForm:
        initial = self.initial(obj) | {KEY_FIELD: secrets.token_urlsafe(24)}
        return self._prepared(self.form(initial=initial, auto_id=f"{self.name}_%s"), obj)

    def _prepared(self, form: VerbForm, obj: Any) -> VerbForm:
        # A form whose choices depend on the object says so with this method.
        prepare = getattr(form, "for_object", None)
        if prepare is not None:
            prepare(obj)
        return form


@dataclass(frozen=True, slots=True)
class OfferedVerb:
    """A verb with its address and an empty form, as the page shows it."""

    verb: Verb
    url: str
    form: VerbForm


class HouseAdmin(ModelAdmin):
    """Shows; never adds, changes or deletes. `verbs` act on one object, `list_verbs` on none."""

    verbs: ClassVar[Sequence[Verb]] = ()
    list_verbs: ClassVar[Sequence[Verb]] = ()
    # What an upper floor knows of a row: (words, address) pairs; see `lend`.
    links: ClassVar[Sequence[Callable[[Any], Sequence[tuple[str, str]]]]] = ()
    actions: ClassVar[Sequence[Any]] = ()
    exports: ClassVar[Sequence[str]] = ()
    compressed_fields = True
    list_filter_submit = False
    list_per_page = 50
    show_full_result_count = False
    change_form_outer_before_template = "faces/admin/object_verbs.html"
    change_form_outer_after_template = "faces/admin/history.html"
    list_before_template = "faces/admin/list_verbs.html"

    class Media:
        css: ClassVar = {"all": ("faces/verbs.css",)}
        js: ClassVar = ("faces/verbs.js", "faces/times.js")

    # --- reading only

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return actor_for(request).may(f"{self.opts.app_label}.view_{self.opts.model_name}")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.visible_to(request.user) if hasattr(rows, "visible_to") else rows

    def history_rows(self, request: HttpRequest, obj: Any) -> Sequence[Any]:
        """Rows with `at, what, who, why, address, changes`, newest first; empty where no history is kept."""
        return ()

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """History stands on the object's own page, from the database's triggers."""
        return redirect(f"{self._object_url(object_id)}#history")

    # --- pages

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        context = dict(extra_context or {})
        obj = self.get_object(request, object_id)
        if obj is not None and self.has_view_permission(request, obj):
            context |= {
                "offered_verbs": self.offered(request, obj),
                "history_rows": self.history_rows(request, obj),
                "row_links": [link for source in self.links for link in source(obj)],
            }
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = dict(extra_context or {})
        context |= {"offered_verbs": self.offered(request, None), "export_links": self._export_links(request)}
        return super().changelist_view(request, context)

    def offered(self, request: HttpRequest, obj: Any) -> list[OfferedVerb]:
        """The verbs this person may use now, each with a fresh form."""
        acting = actor_for(request)
        verbs = self.list_verbs if obj is None else self.verbs
        return [
            OfferedVerb(verb=verb, url=self._verb_url(verb, obj), form=verb.fresh(obj))
            for verb in verbs
            if acting.may(verb.permission) and verb.available(obj)
        ]

    # --- verbs

    def get_urls(self) -> list[URLPattern]:
        def wrapped(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            # The method is judged before anything else, so that a GET is a 405 for whoever asks.
            guarded = require_POST(self.admin_site.admin_view(view))
            guarded.model_admin = self  # type: ignore[attr-defined]
            return update_wrapper(guarded, view)

        own = [path("verb/<slug:verb_name>/", wrapped(self.list_verb_view), name=self._url_name("list_verb"))]
        own.append(
            path("<path:object_id>/verb/<slug:verb_name>/", wrapped(self.verb_view), name=self._url_name("verb"))
        )
        return own + super().get_urls()

    def verb_view(self, request: HttpRequest, object_id: str, verb_name: str) -> HttpResponse:
        verb = self._verb(request, self.verbs, verb_name)
        obj = self._find(request, object_id)
        return self._carry_out(request, verb, obj)

    def list_verb_view(self, request: HttpRequest, verb_name: str) -> HttpResponse:
        return self._carry_out(request, self._verb(request, self.list_verbs, verb_name), None)

    def _verb(self, request: HttpRequest, verbs: Sequence[Verb], name: str) -> Verb:
        verb = next((verb for verb in verbs if verb.name == name), None)
        if verb is None:
            raise Http404
        if not actor_for(request).may(verb.permission):
            raise PermissionDenied
        return verb

    def _find(self, request: HttpRequest, object_id: str) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            obj = self.get_queryset(request).filter(pk=object_id).first()
        except (ValueError, ValidationError, OverflowError):
            obj = None
        if obj is None:
            raise Http404
        return obj

    def _carry_out(self, request: HttpRequest, verb: Verb, obj: Any) -> HttpResponse:
        form = verb.bound(request.POST, obj)
        if not form.is_valid():
            return self._again(request, verb, obj, form, status=422)
        key = form.cleaned_data[KEY_FIELD]
        back = self._object_url(obj.pk) if obj is not None else self._list_url()
        if key in request.session.get(USED_KEYS, ()):
            messages.info(request, "This form was sent before and has done its work; nothing happened twice.")
            return redirect(back)
        target = () if obj is None else (obj,)
        try:
            if verb.preview is not None and SEEN_FIELD not in request.POST:
                look = verb.preview(*target, acting=actor_for(request), **form.typed)
                return self._second_look(request, verb, obj, form, look)
            outcome = verb.run(*target, acting=actor_for(request), key=key, **form.typed)
        except HabitatError as error:
            form.add_error(error.field if error.field in form.fields else None, error.sentence)
            return self._again(request, verb, obj, form, status=error.status)
        request.session[USED_KEYS] = [*request.session.get(USED_KEYS, ())[-KEYS_REMEMBERED:], key]
        return self._after(request, verb, outcome if isinstance(outcome, Done) else Done(), back)

    def _after(self, request: HttpRequest, verb: Verb, done: Done, back: str) -> HttpResponse:
        said = done.message or verb.done or f"Done: {verb.label.lower()}."
        if done.secret:
            context = self._page(request, verb) | {"secret": done.secret, "message": said, "back": done.go_to or back}
            response = TemplateResponse(request, "faces/admin/secret.html", context)
            response["Cache-Control"] = "no-store"
            return response
        messages.success(request, said)
        return HttpResponseRedirect(done.go_to or back)

    def _again(self, request: HttpRequest, verb: Verb, obj: Any, form: VerbForm, status: int) -> HttpResponse:
        context = self._asked(request, verb, obj, form)
        return TemplateResponse(request, "faces/admin/verb.html", context, status=status)

    def _second_look(
        self, request: HttpRequest, verb: Verb, obj: Any, form: VerbForm, look: SecondLook
    ) -> HttpResponse:
        """Nothing has moved yet: the form travels on, hidden, behind the facts."""
        hidden = [bound.as_hidden() for bound in form]
        context = self._asked(request, verb, obj, form) | {"look": look, "hidden": hidden, "seen_field": SEEN_FIELD}
        return TemplateResponse(request, "faces/admin/second_look.html", context)

    def _asked(self, request: HttpRequest, verb: Verb, obj: Any, form: VerbForm) -> dict[str, Any]:
        return self._page(request, verb) | {
            "offered": OfferedVerb(verb=verb, url=self._verb_url(verb, obj), form=form),
            "object": obj,
            "back": self._object_url(obj.pk) if obj is not None else self._list_url(),
        }

    def _page(self, request: HttpRequest, verb: Verb) -> dict[str, Any]:
        return self.admin_site.each_context(request) | {
            "title": verb.label,
            "opts": self.opts,
            "media": self.media,
            "model_admin": self,
        }

    def _url_name(self, suffix: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{suffix}"

    def _object_url(self, object_id: Any) -> str:
        name = f"{self.admin_site.name}:{self._url_name('change')}"
        return reverse(name, args=[quote(str(object_id), safe="")])

    def _list_url(self) -> str:
        return reverse(f"{self.admin_site.name}:{self._url_name('changelist')}")

    def _verb_url(self, verb: Verb, obj: Any) -> str:
        if obj is None:
            return reverse(f"{self.admin_site.name}:{self._url_name('list_verb')}", args=[verb.name])
        return reverse(f"{self.admin_site.name}:{self._url_name('verb')}", args=[obj.pk, verb.name])

    def _export_links(self, request: HttpRequest) -> list[tuple[str, str]]:
        return []


def lend(page: type[HouseAdmin], *verbs: Verb, links: Callable[[Any], Sequence[tuple[str, str]]] | None = None) -> None:
    """An upper floor puts its verbs and links on a lower floor's page, which cannot know of them."""
    page.verbs = (*page.verbs, *verbs)
    if links is not None:
        page.links = (*page.links, links)


FORMATS: Final = {"csv": CSV, "xlsx": XLSX}


class ExportMixin(ImportExportMixin):
    """Lets a list be taken away as CSV or XLSX with the filters in the address. Put it before HouseAdmin.

    `export_fields` names every column: nothing leaves that was not chosen. Amounts are written as text, digit for
    digit; a spreadsheet's own number would round them.
    """

    export_fields: ClassVar[Sequence[str]] = ()
    import_export_change_list_template = None

    def get_urls(self) -> list[URLPattern]:
        view = require_GET(self.admin_site.admin_view(self.export_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        # import-export's own form is left out: it would offer fields that nobody chose.
        return [path("export/<slug:file_format>/", view, name=name), *super(ImportExportMixin, self).get_urls()]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @cached_property
    def export_resource(self) -> type[ModelResource]:
        meta = type("Meta", (), {"model": self.model, "fields": self.export_fields, "export_order": self.export_fields})
        return type(f"{self.model.__name__}Export", (ModelResource,), {"Meta": meta})

    def export_view(self, request: HttpRequest, file_format: str) -> HttpResponse:
        chosen = FORMATS.get(file_format)
        if chosen is None:
            raise Http404
        if not self.has_export_permission(request):
            raise PermissionDenied
        rows = self.export_resource().export(self.get_export_queryset(request))
        writer = chosen()
        body = writer.export_data(rows)
        if isinstance(body, str):
            # The mark tells spreadsheets that the file is UTF-8.
            body = ("\ufeff" + body).encode()
        response = HttpResponse(body, content_type=writer.get_content_type())
        name = f"{self.opts.model_name}.{writer.get_extension()}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def _export_links(self, request: HttpRequest) -> list[tuple[str, str]]:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_export"
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return [(label.upper(), reverse(name, args=[label]) + query) for label in FORMATS]


def read_only(admin_class: type[DjangoModelAdmin]) -> type[DjangoModelAdmin]:
    """`admin_class` with every way to write taken away, actions included."""

    def never(self: Any, request: HttpRequest, obj: Any = None) -> bool:
        return False

    members = {"actions": None, "has_change_permission": never, "has_delete_permission": never}
    members["has_add_permission"] = lambda self, request: False
    return type(f"ReadOnly{admin_class.__name__}", (admin_class,), members)
