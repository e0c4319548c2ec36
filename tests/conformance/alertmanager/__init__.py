"""Our Alertmanager API beside a real Alertmanager, and amtool in front of both."""
