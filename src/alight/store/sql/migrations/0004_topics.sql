-- What was published to a topic, from the newest back: a message enters once, when it is accepted.

CREATE INDEX messages_by_topic ON messages (topic, published, id) WHERE state = 'accepted' AND kind = 'Notification';
