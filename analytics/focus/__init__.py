"""FOCUS: what is charged, as the FinOps Open Cost and Usage Specification 1.4 writes it."""
