"""WeChat Work (WeCom), by its API for applications.

In comes a notification, out goes one message, with a token that is asked for
first and kept until the service takes it no more.
"""
