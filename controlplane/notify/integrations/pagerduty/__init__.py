"""PagerDuty, by its Events API version 2.

In comes a notification, out goes a trigger or a resolve with the dedup key of
its incident, and an acknowledgement once its alerts have all been
acknowledged. Changes go out as change events, which open nothing.
"""
