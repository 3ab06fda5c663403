"""What this floor refuses, each with its code and its sentence."""

from habitat.errors import HabitatError


class SettingUnknown(HabitatError):
    code = "setting_unknown"
    status = 404
    template = "There is no setting “{key}”."


class SettingInvalid(HabitatError):
    code = "setting_invalid"
    template = "“{given}” does not fit the setting “{title}”: {expected}."


class SettingUnchanged(HabitatError):
    code = "setting_unchanged"
    status = 409
    template = "“{title}” already is {value}."


class ApprovalKindUnknown(HabitatError):
    code = "approval_kind_unknown"
    template = "Nothing of the kind “{kind}” can be asked for."


class ApprovalSettled(HabitatError):
    code = "approval_settled"
    status = 409
    template = "This request is already {state}."


class SecondPersonNeeded(HabitatError):
    code = "second_person_needed"
    status = 403
    template = "Whoever asks cannot decide: a second person with the permission “{permission}” must."


class PersonNeeded(HabitatError):
    code = "person_needed"
    status = 403
    template = "Only a person decides this, not a program."


class NotYourRequest(HabitatError):
    code = "not_your_request"
    status = 403
    template = "Only whoever asked may take the request back."


class AlertUnknown(HabitatError):
    code = "alert_unknown"
    template = "There is no alert “{code_given}” in the catalogue."


class AlertSettled(HabitatError):
    code = "alert_settled"
    status = 409
    template = "This alert is already {state}."


class ScopeUnknown(HabitatError):
    code = "scope_unknown"
    template = "“{scope}” is not a scope. The scopes are {scopes}."


class ScopesRequired(HabitatError):
    code = "scopes_required"
    template = "Choose at least one scope: a key without one opens nothing."


class KeyNameRequired(HabitatError):
    code = "key_name_required"
    template = "Give the key a name of 1 to {longest} characters, so that people know whose it is."


class ExpiryPast(HabitatError):
    code = "key_expiry_past"
    template = "The key must expire in the future."


class KeyAlreadyRevoked(HabitatError):
    code = "key_already_revoked"
    status = 409
    template = "The key {name} is already revoked."


class MissingScope(HabitatError):
    code = "missing_scope"
    status = 403
    template = "This key may not do that: it needs the scope “{scope}”."


class KeyRequired(HabitatError):
    code = "service_key_required"
    status = 403
    template = "This door is for services: send a service key with the scope “{scope}”."
