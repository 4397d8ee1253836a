"""Replays: recorded calls through the engine under other policies, each in a process of its own that can be ended.

`jobs` is what a page starts and looks at; `worker` is the process, which holds no key and no file; `question` is what
it is asked and answers.
"""
