"""The benchmark: Moa beside its peers and beside the limit, on servers of its own."""
