"""What a run may leave behind: kinds of resources, and what is left of them."""
