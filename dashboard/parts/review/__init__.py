"""The weekly review on screen, its actions, signatures and files."""
