"""One file per way out: webhook, email, text message, function, queue."""
