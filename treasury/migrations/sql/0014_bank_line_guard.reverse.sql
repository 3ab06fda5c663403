-- The former bodies refused every line, and judged a match by a state it no longer had: nothing goes back to them.
SELECT 1;
