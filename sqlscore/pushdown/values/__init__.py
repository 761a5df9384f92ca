"""The values of one row while a graph is read: cells, tensors of them, what is known of them."""
