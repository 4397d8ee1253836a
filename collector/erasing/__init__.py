"""Erasing: what goes when it is old enough or a tenant asks, and the sums that stay."""
