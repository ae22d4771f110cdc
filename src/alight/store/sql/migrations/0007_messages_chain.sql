-- How often each function has been called in the chain that led to a message (JSON), where nothing that has an id has.

ALTER TABLE messages ADD COLUMN chain TEXT NOT NULL DEFAULT '';
