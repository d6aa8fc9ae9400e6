"""What runs inside the forked child, around the test."""
