"""Where cost goes, and what a unit of work costs."""
