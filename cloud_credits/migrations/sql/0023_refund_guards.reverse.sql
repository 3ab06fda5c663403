DROP TRIGGER recurring_once ON cloud_credits_recurringpurchase;
DROP FUNCTION cloud_credits_recurring_once();
DROP TRIGGER refund_request_once ON cloud_credits_refundrequest;
DROP FUNCTION cloud_credits_refund_request_once();
