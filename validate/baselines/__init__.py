"""The SRCNN graph that runtime is compared with, in every format."""
