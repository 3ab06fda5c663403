"""What this floor refuses, by name."""

from habitat.errors import HabitatError


class UnknownEventType(HabitatError):
    code = "unknown_event_type"
    template = "{name} is not a registered event type."


class OutsideTransaction(HabitatError):
    code = "outside_transaction"
    template = "An event is written in the transaction of the change it tells of; there is none open."


class DeliveryNotDead(HabitatError):
    code = "delivery_not_dead"
    status = 409
    template = "Delivery {delivery} is {state}: only a dead one can be replayed."


class NoHandler(HabitatError):
    code = "no_handler"
    template = "{subscriber} has no handler for {name} any more."


class BusUnreachable(HabitatError):
    code = "bus_unreachable"
    status = 503
    template = "The message broker could not be reached or did not confirm: {why}"
