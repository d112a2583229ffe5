"""The way of an image; knows no transport."""
