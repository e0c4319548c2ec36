"""Process settings: what needs a restart to change.

In come the environment (each variable also as `*_FILE`) and what the command
line says; out goes a frozen `Settings`, or one refusal that names every
variable that is wrong. Knows nothing of the configuration file, which is
reloaded at run time, nor of who acts on a setting.
"""
