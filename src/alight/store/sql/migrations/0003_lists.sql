-- What is over, by state and function from the newest back: an event enters once, when it ends.

CREATE INDEX events_over ON events (state, function, seq) WHERE state IN ('succeeded', 'dead');
