"""The answer cache: what a policy file says of it, and the service that keeps answers for many processes."""
