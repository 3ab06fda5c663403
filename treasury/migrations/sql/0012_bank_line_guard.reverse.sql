-- The former body refused every line; nothing goes back to it.
SELECT 1;
