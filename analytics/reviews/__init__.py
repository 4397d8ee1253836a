"""The weekly cost-ownership review: one document a week, the files that are made of it, and who signed it."""
