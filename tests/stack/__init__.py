"""What stands around the service: compose, its image, and each configuration by its own tool."""
