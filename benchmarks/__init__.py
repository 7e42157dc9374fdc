"""Side by side with named peers; every script prints ratios measured in one run."""
