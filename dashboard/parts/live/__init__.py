"""What stands on the Live page."""
