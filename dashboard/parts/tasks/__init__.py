"""What stands on the Tasks page."""
