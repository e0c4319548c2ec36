"""The reloadable YAML: one file, or several that it includes, become one `Config`.

In comes a path; out goes a frozen `Config` of the options that the packages
own, or a ConfigError with every problem at once, each with file and line. The
tables of keys here are the only place that knows the file's shape: reading,
showing and the test of the documentation all walk them. It must not know who
uses a Config, nor keep one: the swap at a reload is the application's.
"""
