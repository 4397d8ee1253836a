"""Keys: who asks, what they may, and the check of every request."""
