"""What is in force, why, and what else would have done."""
