"""Topics, subscriptions and deliveries: who is told what, and how it gets there."""
