"""The page at `/`: choose photos and see what the service makes of them."""
