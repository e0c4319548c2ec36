"""The keys of each kind of receiver: a file each, and one line each in `receivers.py`.

In come the file's `global` and the check of its templates, out goes the section
of one entry, such as of `slack_configs`. None knows of another kind.
"""
