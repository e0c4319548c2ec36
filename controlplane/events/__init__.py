"""What has just happened, told to whoever is looking.

In come events from the parts that change something; out they go, in order and
numbered, to pages and streams that are open. Bounded: who was away too long is
told to look at everything anew. It must not know who publishes or who listens.
"""
