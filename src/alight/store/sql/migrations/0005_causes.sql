-- How often each function has been called in the chain that led to a message (JSON), where a function has sent it.

ALTER TABLE queue_messages ADD COLUMN chain TEXT NOT NULL DEFAULT '';
