"""The permission matrix: every address of the house × who knocks × GET and POST. An address without a row fails."""

from collections.abc import Iterator

import pytest
from django.http import HttpResponse

from tests.site.doors import WHO, Door, House, doors, furnish, path_of, verbs

pytestmark = pytest.mark.django_db

# Words of the tables: a status, or where a redirect leads. `sign-in`: to the sign-in page. `prove`: to the page that
# asks for the password again. `on`: somewhere else of the house. Service keys knock at the API alone; on pages an
# Authorization header means nothing. Bodies are empty, so that whoever may act is told what is missing (422).

# route · method · nobody, owner, other member, steward, operations, admin
PAGES = r"""
admin/reports/usage-margin/                                        GET  sign-in sign-in sign-in 200     200     200
admin/reports/usage-margin/                                        POST sign-in sign-in sign-in 405     405     405
admin/reports/^usage-margin/(?P<file_format>csv|xlsx|pdf)/$        GET  sign-in sign-in sign-in 200     200     200
admin/reports/^usage-margin/(?P<file_format>csv|xlsx|pdf)/$        POST sign-in sign-in sign-in 405     405     405
admin/reports/<slug:report>/                                       GET  sign-in sign-in sign-in 200     200     200
admin/reports/<slug:report>/                                       POST sign-in sign-in sign-in 405     405     405
admin/reports/^(?P<report>[a-z-]+)/(?P<file_format>csv|xlsx|pdf)/$     GET  sign-in sign-in sign-in 200     200     200
admin/reports/^(?P<report>[a-z-]+)/(?P<file_format>csv|xlsx|pdf)/$     POST sign-in sign-in sign-in 405     405     405
admin/people/<int:member_id>/                                      GET  sign-in sign-in sign-in 200     200     200
admin/people/<int:member_id>/                                      POST sign-in sign-in sign-in 405     405     405
admin/trace/                                                       GET  sign-in sign-in sign-in 200     200     200
admin/trace/                                                       POST sign-in sign-in sign-in 405     405     405
admin/search/                                                      GET  sign-in sign-in sign-in 200     200     200
admin/search/                                                      POST sign-in sign-in sign-in 200     200     200
admin/                                                             GET  sign-in sign-in sign-in 200     200     200
admin/                                                             POST sign-in sign-in sign-in 200     200     200
admin/login/                                                       GET  sign-in 403     403     on      on      on
admin/login/                                                       POST sign-in 403     403     on      on      on
admin/logout/                                                      GET  on      on      on      405     405     405
admin/logout/                                                      POST on      on      on      200     200     200
admin/password_change/                                             GET  sign-in sign-in sign-in on      on      on
admin/password_change/                                             POST sign-in sign-in sign-in on      on      on
admin/password_change/done/                                        GET  sign-in sign-in sign-in 200     200     200
admin/password_change/done/                                        POST sign-in sign-in sign-in 405     405     405
admin/autocomplete/                                                GET  sign-in sign-in sign-in 403     403     403
admin/autocomplete/                                                POST sign-in sign-in sign-in 405     405     405
admin/jsi18n/                                                      GET  sign-in sign-in sign-in 200     200     200
admin/jsi18n/                                                      POST sign-in sign-in sign-in 405     405     405
admin/r/<path:content_type_id>/<path:object_id>/                   GET  sign-in sign-in sign-in 404     404     404
admin/r/<path:content_type_id>/<path:object_id>/                   POST sign-in sign-in sign-in 404     404     404
admin/^(?P<app_label>…)/$                                          GET  sign-in sign-in sign-in 200     200     200
admin/^(?P<app_label>…)/$                                          POST sign-in sign-in sign-in 200     200     200
admin/(?P<url>.*)$                                                 GET  sign-in sign-in sign-in 404     404     404
admin/(?P<url>.*)$                                                 POST sign-in sign-in sign-in 404     404     404
accounts/login/                                                    GET  200     on      on      on      on      on
accounts/login/                                                    POST 200     on      on      on      on      on
accounts/logout/                                                   GET  on      200     200     200     200     200
accounts/logout/                                                   POST on      on      on      on      on      on
accounts/inactive/                                                 GET  200     200     200     200     200     200
accounts/inactive/                                                 POST 405     405     405     405     405     405
accounts/signup/                                                   GET  200     on      on      on      on      on
accounts/signup/                                                   POST 200     on      on      on      on      on
accounts/reauthenticate/                                           GET  sign-in 200     200     200     200     200
accounts/reauthenticate/                                           POST sign-in 200     200     200     200     200
accounts/email/                                                    GET  sign-in 200     200     200     200     200
accounts/email/                                                    POST sign-in on      on      on      on      on
accounts/confirm-email/                                            GET  200     200     200     200     200     200
accounts/confirm-email/                                            POST 405     405     405     405     405     405
accounts/password/change/                                          GET  sign-in 200     200     200     200     200
accounts/password/change/                                          POST sign-in 200     200     200     200     200
accounts/password/set/                                             GET  sign-in on      on      on      on      on
accounts/password/set/                                             POST sign-in on      on      on      on      on
accounts/password/reset/                                           GET  200     200     200     200     200     200
accounts/password/reset/                                           POST 200     200     200     200     200     200
accounts/login/code/confirm/                                       GET  sign-in on      on      on      on      on
accounts/login/code/confirm/                                       POST sign-in on      on      on      on      on
accounts/^confirm-email/(?P<key>[-:\w]+)/$                         GET  200     200     200     200     200     200
accounts/^confirm-email/(?P<key>[-:\w]+)/$                         POST 404     404     404     404     404     404
accounts/password/reset/key/done/                                  GET  200     200     200     200     200     200
accounts/password/reset/key/done/                                  POST 405     405     405     405     405     405
accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$ GET  200     200     200     200     200     200
accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$ POST 200     200     200     200     200     200
accounts/password/reset/done/                                      GET  200     200     200     200     200     200
accounts/password/reset/done/                                      POST 405     405     405     405     405     405
accounts/2fa/                                                      GET  sign-in 200     200     200     200     200
accounts/2fa/                                                      POST sign-in 405     405     405     405     405
accounts/2fa/authenticate/                                         GET  sign-in on      on      on      on      on
accounts/2fa/authenticate/                                         POST sign-in on      on      on      on      on
accounts/2fa/reauthenticate/                                       GET  sign-in prove   prove   prove   prove   prove
accounts/2fa/reauthenticate/                                       POST sign-in prove   prove   prove   prove   prove
accounts/2fa/totp/activate/                                        GET  sign-in prove   prove   prove   prove   prove
accounts/2fa/totp/activate/                                        POST sign-in prove   prove   prove   prove   prove
accounts/2fa/totp/deactivate/                                      GET  sign-in 404     404     404     404     404
accounts/2fa/totp/deactivate/                                      POST sign-in 404     404     404     404     404
accounts/2fa/recovery-codes/                                       GET  sign-in 404     404     404     404     404
accounts/2fa/recovery-codes/                                       POST sign-in 405     405     405     405     405
accounts/2fa/recovery-codes/generate/                              GET  sign-in prove   prove   prove   prove   prove
accounts/2fa/recovery-codes/generate/                              POST sign-in prove   prove   prove   prove   prove
accounts/2fa/recovery-codes/download/                              GET  sign-in 404     404     404     404     404
accounts/2fa/recovery-codes/download/                              POST sign-in 404     404     404     404     404
accounts/2fa/webauthn/                                             GET  sign-in 200     200     200     200     200
accounts/2fa/webauthn/                                             POST sign-in 405     405     405     405     405
accounts/2fa/webauthn/add/                                         GET  sign-in prove   prove   prove   prove   prove
accounts/2fa/webauthn/add/                                         POST sign-in prove   prove   prove   prove   prove
accounts/2fa/webauthn/reauthenticate/                              GET  sign-in prove   prove   prove   prove   prove
accounts/2fa/webauthn/reauthenticate/                              POST sign-in prove   prove   prove   prove   prove
accounts/2fa/webauthn/keys/<int:pk>/remove/                        GET  sign-in prove   prove   prove   prove   prove
accounts/2fa/webauthn/keys/<int:pk>/remove/                        POST sign-in prove   prove   prove   prove   prove
accounts/2fa/webauthn/keys/<int:pk>/edit/                          GET  sign-in prove   prove   prove   prove   prove
accounts/2fa/webauthn/keys/<int:pk>/edit/                          POST sign-in prove   prove   prove   prove   prove
accounts/sessions/                                                 GET  sign-in 200     200     200     200     200
accounts/sessions/                                                 POST sign-in on      on      on      on      on
settings/                                                          GET  sign-in 200     200     200     200     200
settings/                                                          POST 405     405     405     405     405     405
settings/name/                                                     GET  405     405     405     405     405     405
settings/name/                                                     POST sign-in 422     422     422     422     422
notifications/                                                     GET  sign-in 200     200     200     200     200
notifications/                                                     POST sign-in 405     405     405     405     405
notifications/read/                                                GET  sign-in 405     405     405     405     405
notifications/read/                                                POST sign-in on      on      on      on      on
notifications/<int:notification_id>/read/                          GET  sign-in 405     405     405     405     405
notifications/<int:notification_id>/read/                          POST sign-in on      404     404     404     404
settings/notifications/                                            GET  sign-in 200     200     200     200     200
settings/notifications/                                            POST sign-in on      on      on      on      on
cloud/                                                             GET  sign-in 200     200     200     200     200
cloud/                                                             POST sign-in 405     405     405     405     405
cloud/transactions/                                                GET  sign-in 200     200     200     200     200
cloud/transactions/                                                POST sign-in 405     405     405     405     405
cloud/transactions/<int:number>/                                   GET  sign-in 200     404     200     200     200
cloud/transactions/<int:number>/                                   POST sign-in 405     405     405     405     405
cloud/transfer/                                                    GET  sign-in 200     200     200     200     200
cloud/transfer/                                                    POST sign-in 422     422     422     422     422
cloud/transfer/confirm/                                            GET  sign-in 405     405     405     405     405
cloud/transfer/confirm/                                            POST sign-in 422     422     422     422     422
cloud/buy/                                                         GET  sign-in 200     200     200     200     200
cloud/buy/                                                         POST sign-in 422     422     422     422     422
cloud/purchases/                                                   GET  sign-in 200     200     200     200     200
cloud/purchases/                                                   POST sign-in 405     405     405     405     405
cloud/purchases/<int:number>/                                      GET  sign-in 200     404     404     200     200
cloud/purchases/<int:number>/                                      POST sign-in 405     405     405     405     405
cloud/recurring/<int:number>/pause/                                GET  sign-in 200     404     404     404     404
cloud/recurring/<int:number>/pause/                                POST sign-in 422     404     404     404     404
cloud/recurring/<int:number>/resume/                               GET  sign-in 200     404     404     404     404
cloud/recurring/<int:number>/resume/                               POST sign-in 422     404     404     404     404
cloud/recurring/<int:number>/cancel/                               GET  sign-in 200     404     404     404     404
cloud/recurring/<int:number>/cancel/                               POST sign-in 422     404     404     404     404
terms/                                                             GET  200     200     200     200     200     200
terms/                                                             POST 405     405     405     405     405     405
terms/<int:version>/                                               GET  200     200     200     200     200     200
terms/<int:version>/                                               POST 405     405     405     405     405     405
terms/accept/                                                      GET  sign-in 405     405     405     405     405
terms/accept/                                                      POST sign-in 422     422     422     422     422
cloud/usage/                                                       GET  sign-in 200     200     200     200     200
cloud/usage/                                                       POST sign-in 405     405     405     405     405
cloud/usage/<int:number>/receipt/                                  GET  sign-in 200     404     404     200     200
cloud/usage/<int:number>/receipt/                                  POST sign-in 405     405     405     405     405
cloud/usage/verify_receipt.py                                      GET  200     200     200     200     200     200
cloud/usage/verify_receipt.py                                      POST 405     405     405     405     405     405
cloud/spending/                                                    GET  sign-in 200     200     200     200     200
cloud/spending/                                                    POST sign-in on      on      on      on      on
cloud/top-up/                                                      GET  sign-in 200     200     200     200     200
cloud/top-up/                                                      POST sign-in 422     422     422     422     422
cloud/top-up/off/                                                  GET  sign-in 405     405     405     405     405
cloud/top-up/off/                                                  POST sign-in on      on      on      on      on
cloud/invoices/                                                    GET  sign-in 200     200     200     200     200
cloud/invoices/                                                    POST sign-in 405     405     405     405     405
cloud/invoices/<int:number>/                                       GET  sign-in 200     404     200     200     200
cloud/invoices/<int:number>/                                       POST sign-in 405     405     405     405     405
cloud/invoices/<int:number>/invoice.pdf                            GET  sign-in 200     404     200     200     200
cloud/invoices/<int:number>/invoice.pdf                            POST sign-in 405     405     405     405     405
cloud/invoices/<int:number>/pay/                                   GET  sign-in 405     405     405     405     405
cloud/invoices/<int:number>/pay/                                   POST sign-in 422     404     404     404     404
cloud/invoices/<int:number>/pay/confirm/                           GET  sign-in 405     405     405     405     405
cloud/invoices/<int:number>/pay/confirm/                           POST sign-in 422     404     404     404     404
rate-cards/                                                        GET  sign-in 200     200     200     200     200
rate-cards/                                                        POST sign-in 405     405     405     405     405
rate-cards/<int:version>/                                          GET  sign-in 200     200     200     200     200
rate-cards/<int:version>/                                          POST sign-in 405     405     405     405     405
rate-cards/changelog/                                              GET  sign-in 200     200     200     200     200
rate-cards/changelog/                                              POST sign-in 405     405     405     405     405
rate-cards/<int:version>/comment/                                  GET  sign-in 405     405     405     405     405
rate-cards/<int:version>/comment/                                  POST sign-in 422     422     422     422     422
rate-cards/<int:version>/vote/                                     GET  sign-in 405     405     405     405     405
rate-cards/<int:version>/vote/                                     POST sign-in 422     422     422     422     422
rate-cards/<int:version>/my-usage/                                 GET  sign-in 200     200     200     200     200
rate-cards/<int:version>/my-usage/                                 POST sign-in 405     405     405     405     405
rate-cards/<int:version>/card.json                                 GET  sign-in 200     200     200     200     200
rate-cards/<int:version>/card.json                                 POST sign-in 405     405     405     405     405
rate-cards/<int:version>/card.md                                   GET  sign-in 200     200     200     200     200
rate-cards/<int:version>/card.md                                   POST sign-in 405     405     405     405     405
reserve/                                                           GET  200     200     200     200     200     200
reserve/                                                           POST 405     405     405     405     405     405
help/                                                              GET  200     200     200     200     200     200
help/                                                              POST 405     405     405     405     405     405
help/errors/                                                       GET  200     200     200     200     200     200
help/errors/                                                       POST 405     405     405     405     405     405
(root)                                                             GET  200     on      on      on      on      on
(root)                                                             POST 405     405     405     405     405     405
"""

# the same, then · service key, key without the scope
API = """
api/balance                      GET  401   200   200   200   200   200   403   403
api/balance                      POST 401   405   405   405   405   405   403   403
api/transactions/                GET  401   200   200   200   200   200   403   403
api/transactions/                POST 401   405   405   405   405   405   403   403
api/transactions/<int:pk>/       GET  401   200   404   200   200   200   403   403
api/transactions/<int:pk>/       POST 401   405   405   405   405   405   403   403
api/transfers                    GET  401   405   405   405   405   405   403   403
api/transfers                    POST 401   422   422   422   422   422   403   403
api/stakes/                      GET  401   200   200   200   200   200   403   403
api/stakes/                      POST 401   422   422   422   422   422   403   403
api/stakes/<int:pk>/unstake      GET  401   405   405   405   405   405   403   403
api/stakes/<int:pk>/unstake      POST 401   409   404   404   422   422   403   403
api/invoices/                    GET  401   200   200   200   200   200   403   403
api/invoices/                    POST 401   405   405   405   405   405   403   403
api/invoices/<int:pk>            GET  401   200   404   200   200   200   403   403
api/invoices/<int:pk>            POST 401   405   405   405   405   405   403   403
api/invoices/<int:pk>/pay        GET  401   405   405   405   405   405   403   403
api/invoices/<int:pk>/pay        POST 401   422   422   422   422   422   403   403
api/stripe/checkout              GET  401   405   405   405   405   405   403   403
api/stripe/checkout              POST 401   422   422   422   422   422   403   403
api/stripe/invoices              GET  401   200   200   200   200   200   403   403
api/stripe/invoices              POST 401   405   405   405   405   405   403   403
api/purchases/                   GET  401   200   200   200   200   200   403   403
api/purchases/                   POST 401   405   405   405   405   405   403   403
api/purchases/<int:pk>           GET  401   200   404   404   200   200   403   403
api/purchases/<int:pk>           POST 401   405   405   405   405   405   403   403
api/usage/                       GET  401   200   200   200   200   200   403   403
api/usage/                       POST 401   405   405   405   405   405   403   403
api/usage/summary                GET  401   200   200   200   200   200   403   403
api/usage/summary                POST 401   405   405   405   405   405   403   403
api/usage/<int:pk>/receipt       GET  401   200   404   404   200   200   403   403
api/usage/<int:pk>/receipt       POST 401   405   405   405   405   405   403   403
api/spending                     GET  401   200   200   200   200   200   403   403
api/spending                     POST 401   405   405   405   405   405   403   403
api/rate-card                    GET  401   200   200   200   200   200   200   200
api/rate-card                    POST 401   405   405   405   405   405   405   405
api/rate-card/quote              GET  401   405   405   405   405   405   405   405
api/rate-card/quote              POST 401   422   422   422   422   422   422   422
api/rate-cards/                  GET  401   200   200   200   200   200   200   200
api/rate-cards/                  POST 401   405   405   405   405   405   405   405
api/rate-cards/<int:version>/    GET  401   200   200   200   200   200   200   200
api/rate-cards/<int:version>/    POST 401   405   405   405   405   405   405   405
api/rate-cards/<int:version>     GET  401   200   200   200   200   200   200   200
api/rate-cards/<int:version>     POST 401   405   405   405   405   405   405   405
api/metering/record              GET  401   403   403   403   403   403   405   403
api/metering/record              POST 401   403   403   403   403   403   422   403
api/metering/batch               GET  401   403   403   403   403   403   405   403
api/metering/batch               POST 401   403   403   403   403   403   400   403
api/cloud/metering               GET  401   403   403   403   403   403   405   403
api/cloud/metering               POST 401   403   403   403   403   403   202   403
api/cloud/metering/<int:pk>      GET  401   403   403   403   403   403   200   403
api/cloud/metering/<int:pk>      POST 401   403   403   403   403   403   405   403
api/stripe/webhook               GET  405   405   405   405   405   405   405   405
api/stripe/webhook               POST 400   400   400   400   400   400   400   400
api/webhooks/stripe              GET  405   405   405   405   405   405   405   405
api/webhooks/stripe              POST 400   400   400   400   400   400   400   400
api/webhooks/endpoints/                    GET  401  403  403  403  403  403  403  200
api/webhooks/endpoints/                    POST 401  403  403  403  403  403  403  422
api/webhooks/endpoints/<int:pk>            GET  401  403  403  403  403  403  403  200
api/webhooks/endpoints/<int:pk>            POST 401  403  403  403  403  403  403  405
api/webhooks/endpoints/<int:pk>/secret     GET  401  403  403  403  403  403  403  405
api/webhooks/endpoints/<int:pk>/secret     POST 401  403  403  403  403  403  403  200
api/webhooks/endpoints/<int:pk>/enable     GET  401  403  403  403  403  403  403  405
api/webhooks/endpoints/<int:pk>/enable     POST 401  403  403  403  403  403  403  422
api/webhooks/deliveries/                   GET  401  403  403  403  403  403  403  200
api/webhooks/deliveries/                   POST 401  403  403  403  403  403  403  405
api/webhooks/deliveries/<int:pk>/replay    GET  401  403  403  403  403  403  403  405
api/webhooks/deliveries/<int:pk>/replay    POST 401  403  403  403  403  403  403  422
api/reserve                      GET  200   200   200   200   200   200   200   200
api/reserve                      POST 405   405   405   405   405   405   405   405
api/health                       GET  200   200   200   200   200   200   200   200
api/health                       POST 405   405   405   405   405   405   405   405
api/schema/                      GET  200   200   200   200   200   200   200   200
api/schema/                      POST 405   405   405   405   405   405   405   405
api/docs/                        GET  200   200   200   200   200   200   200   200
api/docs/                        POST 405   405   405   405   405   405   405   405
"""

# What the admin makes for each model; `view` stands for whoever VIEWERS names, 403 for other staff. `draft`, `save`
# and `edit` are for who may propose a rate card: the form, an empty one sent, and a card that is no draft any more.
MADE_BY_THE_ADMIN = r"""
admin/{model}/                                            GET  view
admin/{model}/                                            POST view
admin/{model}/add/                                        GET  none
admin/{model}/add/                                        POST none
admin/{model}/<path:object_id>/                           GET  move
admin/{model}/<path:object_id>/change/                    GET  view
admin/{model}/<path:object_id>/change/                    POST none
admin/{model}/<path:object_id>/delete/                    GET  none
admin/{model}/<path:object_id>/delete/                    POST none
admin/{model}/<path:object_id>/history/                   GET  move
admin/{model}/export/<slug:file_format>/                  GET  view
admin/{model}/export/<slug:file_format>/                  POST refuse
admin/{model}/verb/<slug:verb_name>/                      GET  refuse
admin/{model}/verb/<slug:verb_name>/                      POST verb
admin/{model}/<path:object_id>/verb/<slug:verb_name>/     GET  refuse
admin/{model}/<path:object_id>/verb/<slug:verb_name>/     POST verb
admin/{model}/draft/                                      GET  draft
admin/{model}/draft/                                      POST save
admin/{model}/check/                                      GET  refuse
admin/{model}/check/                                      POST draft
admin/{model}/<path:object_id>/draft/                     GET  edit
admin/{model}/<path:object_id>/draft/                     POST edit
admin/{model}/<path:object_id>/check/                     GET  refuse
admin/{model}/<path:object_id>/check/                     POST draft
admin/{model}/<path:object_id>/dry-run/                   GET  view
admin/{model}/<path:object_id>/dry-run/                   POST refuse
"""

# Nothing of these lies in the small cooperative, so that the list is all there is.
WITHOUT_A_ROW = {
    "cloud_credits.chainblock",
    "cloud_credits.ratecardballot",
    "cloud_credits.ratecardelector",
    "cloud_credits.ratecardoutcome",
    "cloud_credits.ratecardreminder",
    "cloud_credits.selfmetercharge",
    "cloud_credits.spendcap",
    "cloud_credits.topup",
    "cloud_credits.usageimport",
    "events.eventcount",
    "treasury.dispute",
    "treasury.payout",
    "treasury.stripemovement",
}
# model · who may look
VIEWERS = """
cloud_credits.cloudbalance         steward operations admin
cloud_credits.chainblock           operations admin
cloud_credits.ensregistration      operations admin
cloud_credits.resourceusage        operations admin
cloud_credits.meteringrefusal      operations admin
cloud_credits.meteringsubmission   operations admin
cloud_credits.selfmetercharge      operations admin
cloud_credits.usageimport          operations admin
cloud_credits.spendcap             operations admin
cloud_credits.topup                operations admin
cloud_credits.idempotencykey       operations admin
cloud_credits.ratecard             steward operations admin
cloud_credits.ratecardoutcome      steward operations admin
cloud_credits.ratecardelector      steward operations admin
cloud_credits.ratecardballot       steward operations admin
cloud_credits.ratecardreminder     steward operations admin
cloud_credits.invoice              steward operations admin
cloud_credits.stakingposition      operations admin
cloud_credits.receivable           operations admin
cloud_credits.purchase             operations admin
cloud_credits.recurringpurchase    operations admin
cloud_credits.paymentmint          operations admin
cloud_credits.refundrequest        operations admin
cloud_credits.clawback             operations admin
cloud_credits.termsversion         operations admin
cloud_credits.termsacceptance      operations admin
cloud_credits.cloudtransaction     steward operations admin
treasury.account                   steward operations admin
treasury.journalentry              steward operations admin
treasury.period                    steward operations admin
treasury.reconciliationrun         steward operations admin
treasury.reconciliationexception   steward operations admin
treasury.mintswitch                steward operations admin
treasury.backingcheck              steward operations admin
treasury.payment                   steward operations admin
treasury.refund                    steward operations admin
treasury.dispute                   steward operations admin
treasury.payout                    steward operations admin
treasury.stripemovement            steward operations admin
treasury.stripereading             steward operations admin
treasury.stripeevent               operations admin
treasury.bankaccount               steward operations admin
treasury.bankline                  steward operations admin
treasury.bankrowaside              steward operations admin
treasury.bankmatch                 steward operations admin
treasury.bill                      steward operations admin
notifications.email                operations admin
notifications.webhookendpoint      operations admin
notifications.webhookdelivery      operations admin
workflows.job                      operations admin
workflows.execution                steward operations admin
events.event                       operations admin
events.delivery                    operations admin
events.eventcount                  operations admin
controls.alert                     steward operations admin
controls.approval                  operations admin
controls.servicekey                operations admin
controls.setting                   steward operations admin
members.member                     steward operations admin
members.user                       operations admin
auth.group                         admin
django_q.schedule
django_q.success
django_q.failure
django_q.ormq
"""

# model · of the list or of one object · verb · who may
VERBS = """
cloud_credits.cloudbalance         list_verb  grant            operations admin
cloud_credits.cloudbalance         list_verb  correct          operations admin
cloud_credits.cloudbalance         verb       mint             operations admin
cloud_credits.cloudbalance         verb       redeem           operations admin
cloud_credits.cloudbalance         verb       burn             operations admin
cloud_credits.meteringrefusal      verb       ask-late         operations admin
cloud_credits.chainblock           list_verb  seal             operations admin
cloud_credits.ensregistration      list_verb  initialize       operations admin
cloud_credits.ensregistration      list_verb  initialize-many  operations admin
cloud_credits.ensregistration      verb       revoke           operations admin
cloud_credits.invoice              list_verb  draft            operations admin
cloud_credits.invoice              verb       change           operations admin
cloud_credits.invoice              verb       send             operations admin
cloud_credits.invoice              verb       pay              operations admin
cloud_credits.invoice              verb       void             operations admin
cloud_credits.invoice              verb       refund           operations admin
cloud_credits.stakingposition      verb       release          operations admin
cloud_credits.cloudtransaction     verb       reverse          operations admin
cloud_credits.purchase             verb       refund           operations admin
cloud_credits.purchase             verb       send-back        operations admin
cloud_credits.purchase             verb       expire           operations admin
cloud_credits.recurringpurchase    verb       pause            operations admin
cloud_credits.recurringpurchase    verb       resume           operations admin
cloud_credits.recurringpurchase    verb       cancel           operations admin
cloud_credits.receivable           verb       record-payment   operations admin
cloud_credits.receivable           verb       settle           operations admin
cloud_credits.receivable           verb       write-off        operations admin
cloud_credits.termsversion         list_verb  publish          operations admin
cloud_credits.ratecard             verb       propose          steward operations admin
cloud_credits.ratecard             verb       open-voting      steward operations admin
cloud_credits.ratecard             verb       vote             steward operations admin
cloud_credits.ratecard             verb       comment          steward operations admin
cloud_credits.ratecard             verb       amend            steward operations admin
cloud_credits.ratecard             verb       withdraw         steward operations admin
treasury.account                   list_verb  open             operations admin
treasury.account                   verb       retire           operations admin
treasury.account                   verb       bring-back       operations admin
treasury.journalentry              list_verb  adjust           operations admin
treasury.journalentry              verb       reverse          operations admin
treasury.payment                   verb       identify         operations admin
treasury.payment                   verb       return-wire      operations admin
treasury.refund                    verb       failed           operations admin
treasury.payment                   verb       refund           operations admin
treasury.payment                   verb       send-back        operations admin
treasury.mintswitch                verb       suspend          operations admin
treasury.mintswitch                verb       resume           operations admin
treasury.mintswitch                verb       check            operations admin
treasury.backingcheck              list_verb  check            operations admin
treasury.stripeevent               verb       process-again    operations admin
treasury.stripemovement            list_verb  sweep            operations admin
treasury.period                    list_verb  open-next        operations admin
treasury.period                    verb       begin-close      operations admin
treasury.period                    verb       call-off         operations admin
treasury.period                    verb       close            operations admin
treasury.period                    verb       lock             admin
treasury.period                    verb       reopen           admin
treasury.reconciliationrun         list_verb  run              operations admin
treasury.reconciliationexception   verb       own              operations admin
treasury.reconciliationexception   verb       note             operations admin
treasury.reconciliationexception   verb       resolve          operations admin
treasury.bankaccount               list_verb  read-now         operations admin
treasury.bankaccount               verb       assign           operations admin
treasury.bankline                  verb       match            operations admin
treasury.bankline                  verb       ignore           operations admin
treasury.bankline                  verb       duplicate        operations admin
treasury.bankmatch                 verb       confirm          operations admin
treasury.bankmatch                 verb       dismiss          operations admin
treasury.bankmatch                 verb       unmatch          operations admin
treasury.bill                      list_verb  record           operations admin
treasury.bill                      verb       void             operations admin
notifications.email                verb       send-again       operations admin
notifications.webhookendpoint      list_verb  create           operations admin
notifications.webhookendpoint      verb       rotate           operations admin
notifications.webhookendpoint      verb       disable          operations admin
notifications.webhookendpoint      verb       enable           operations admin
notifications.webhookendpoint      verb       remove           operations admin
notifications.webhookdelivery      verb       replay           operations admin
workflows.job                      verb       run-again        operations admin
workflows.execution                verb       retry            operations admin
workflows.execution                verb       signal           operations admin
workflows.execution                verb       compensate       operations admin
workflows.execution                verb       cancel           operations admin
events.delivery                    list_verb  replay-all       operations admin
events.delivery                    verb       replay           operations admin
controls.alert                     verb       acknowledge      operations admin
controls.alert                     verb       resolve          operations admin
controls.approval                  verb       grant            operations admin
controls.approval                  verb       refuse           operations admin
controls.approval                  verb       withdraw         operations admin
controls.servicekey                list_verb  create           admin
controls.servicekey                verb       revoke           admin
controls.setting                   list_verb  change           operations admin
controls.setting                   verb       change           operations admin
members.member                     list_verb  register         operations admin
members.member                     verb       admit            operations admin
members.member                     verb       suspend          operations admin
members.member                     verb       deactivate       operations admin
members.member                     verb       reinstate        operations admin
members.member                     verb       withdraw         operations admin
members.member                     verb       expel            operations admin
members.member                     verb       grant-role       admin
members.member                     verb       revoke-role      admin
members.member                     verb       set-investor     operations admin
members.member                     verb       rename           operations admin
members.member                     verb       invite           operations admin
"""
# Addresses that take no session: there is no token to miss.
SIGNED_OR_OPEN = {"api/health", "api/reserve", "api/stripe/webhook", "api/webhooks/stripe"}
STAFF = ("steward", "operations", "admin")
PUBLIC = WHO[:6]
ALL_REFUSED = dict.fromkeys(PUBLIC, "405")


def _lines(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


def _plain() -> dict[tuple[str, str], dict[str, str]]:
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for route, method, *words in _lines(PAGES) + _lines(API):
        where = ("" if route == "(root)" else route, method)
        assert where not in rows, f"{where} has two rows"
        assert len(words) in {6, 8}, f"{where} has {len(words)} words"
        rows[where] = dict(zip(WHO, words, strict=False))
    return rows


PLAIN_ROWS = _plain()
MADE_ROWS = {(route, method): word for route, method, word in _lines(MADE_BY_THE_ADMIN)}
VIEWER_ROWS = {model: set(roles) for model, *roles in _lines(VIEWERS)}
VERB_ROWS = {(model, kind, name): set(roles) for model, kind, name, *roles in _lines(VERBS)}


def _outside(words: dict[str, str]) -> dict[str, str]:
    return dict.fromkeys(("nobody", "owner", "other"), "sign-in") | words


def _expected(door: Door, method: str, verb: str) -> dict[str, str] | None:
    """Who is told what; None where the table has no row."""
    if not door.model:
        return PLAIN_ROWS.get((door.kind, method))
    word = MADE_ROWS.get((door.kind, method))
    if word == "refuse":
        return ALL_REFUSED
    if word == "verb":
        may = VERB_ROWS.get((door.model, "verb" if "<path:object_id>" in door.kind else "list_verb", verb))
        return None if may is None else _outside({role: "422" if role in may else "403" for role in STAFF})
    if word == "view":
        may = VIEWER_ROWS.get(door.model)
        seen = "on" if door.model in WITHOUT_A_ROW and "<path:object_id>" in door.kind else "200"
        return None if may is None else _outside({role: seen if role in may else "403" for role in STAFF})
    drafted = {"draft": "200", "save": "422", "edit": "on"}.get(word or "")
    if drafted is not None:
        may = VERB_ROWS[("cloud_credits.ratecard", "verb", "propose")]
        return _outside({role: drafted if role in may else "403" for role in STAFF})
    fixed = {"none": "403", "move": "on"}.get(word or "")
    return _outside(dict.fromkeys(STAFF, fixed)) if fixed else None


def _probes() -> Iterator[tuple[Door, str, str]]:
    """Each door × method; a verb's door once for every verb registered on it."""
    registered = verbs()
    for door in doors():
        names = [""]
        if "<slug:verb_name>" in door.route:
            kind = "verb" if "<path:object_id>" in door.route else "list_verb"
            names = [name for model, its, name in registered if (model, its) == (door.model, kind)]
        for name in names:
            yield from ((door, method, name) for method in ("GET", "POST") if _is_asked(door, method))


def _is_asked(door: Door, method: str) -> bool:
    # Two redirects of the admin's own that take any method and only ever read.
    return method == "GET" or door.kind not in {
        "admin/{model}/<path:object_id>/",
        "admin/{model}/<path:object_id>/history/",
    }


def _word(answer: HttpResponse) -> str:
    if answer.status_code not in {301, 302}:
        return str(answer.status_code)
    where = answer["Location"].partition("?")[0]
    assert where.startswith("/"), f"{answer['Location']} leads off the site"
    return {"/accounts/login/": "sign-in", "/admin/login/": "sign-in", "/accounts/reauthenticate/": "prove"}.get(
        where, "on"
    )


@pytest.fixture
def house() -> House:
    return furnish()


def test_every_address__has_a_row():
    missing = [f"{method} {door.route} {verb}" for door, method, verb in _probes() if not _expected(door, method, verb)]

    assert not missing, "Give these addresses a row in tests/site/test_permission_matrix.py:\n" + "\n".join(missing)


def test_every_row__has_an_address():
    kinds = {door.kind for door in doors()}
    rows = {route for route, _method in (*PLAIN_ROWS, *MADE_ROWS)}

    assert rows == kinds
    assert set(VIEWER_ROWS) == {door.model for door in doors() if door.model}
    assert set(VERB_ROWS) == set(verbs())


def test_every_verb__asks_for_a_permission():
    assert [name for name, verb in verbs().items() if not verb.permission.partition(".")[2]] == []


def test_every_address__answers_each_person_as_the_matrix_says(house):
    wrong = []
    for door, method, verb in _probes():
        path = path_of(door, house, verb)
        for who, expected in (_expected(door, method, verb) or {}).items():
            told = _word(house.knock(who, method, path))
            if told != expected:
                wrong.append(f"{method} {path} ({door.kind}), {who}: expected {expected}, told {told}")

    assert not wrong, "\n".join(wrong)


def test_every_form__needs_the_csrf_token(house):
    """Whoever could act without it is refused when the token is missing; the API of a signed-in session too."""
    wrong, tried = [], 0
    for door, method, verb in _probes():
        if method == "GET" or door.route in SIGNED_OR_OPEN:
            continue
        for who in ("nobody", "owner", "admin"):
            if (_expected(door, method, verb) or {}).get(who) in {"405", "401", "403", "sign-in"}:
                continue
            tried += 1
            path = path_of(door, house, verb)
            answer = house.knock(who, method, path, csrf=True)
            if answer.status_code != 403:
                wrong.append(f"POST {path} without a token, {who}: {answer.status_code}")

    assert not wrong, "\n".join(wrong)
    assert tried > 90


def test_service_key__needs_no_csrf_token(house):
    assert house.knock("key", "POST", "/api/metering/record", csrf=True).status_code == 422


@pytest.mark.parametrize("path", ["/accounts/logout/", "/admin/logout/"])
def test_sign_out__by_get_signs_nobody_out(house, path):
    """allauth's page asks; the admin's refuses."""
    client = house.clients["admin"]
    assert client.get(path).status_code in {200, 405}
    assert client.get("/settings/").status_code == 200


def test_back_office_sign_in__takes_no_password_even_from_staff(house):
    """Staff could become somebody else by a password alone, past that person's second factor."""
    client = house.clients["steward"]
    form = {"username": "admin@example.org", "password": "correct horse battery", "next": "/admin/"}
    assert client.post("/admin/login/", form)["Location"] == "/admin/"
    assert client.session["_auth_user_id"] == str(house.people["steward"].user_id)
