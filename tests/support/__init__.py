"""What several tests share: clocks moved by hand, servers, databases."""
