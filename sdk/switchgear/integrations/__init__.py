"""What stands in programs that make model calls for others, each module by itself and only where it is named.

`litellm` guards the calls of LiteLLM's proxy; it needs that package, which nothing else here imports.
"""
