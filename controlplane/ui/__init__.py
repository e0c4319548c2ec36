"""The console: pages rendered here, made live in the browser.

In come requests of people and what the API's surface knows; out go whole pages
that work without a script. Changes go the way the API's go. It must not know
SQL, nor decide anything about alerts or targets.
"""
