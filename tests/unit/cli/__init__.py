"""Commands, as a person at a terminal calls them."""
