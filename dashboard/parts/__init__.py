"""The parts of pages: each asks the services what it shows, and draws it."""
