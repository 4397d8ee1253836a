"""What may be typed after `switchgear`: a module a verb or a group, with arguments and help.

A verb's work is imported when it runs, so that `--help` and the quick verbs load no service.
"""
