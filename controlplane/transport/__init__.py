"""Everything that leaves the process over HTTP, and how names become addresses.

In come requests with a deadline; out come responses with phase timings, or a
typed failure. libcurl runs on the event loop, one resolver serves all, one outbound
policy is asked before every connection and on every redirect. Must not know
what a probe, a scrape or a notification is.
"""
