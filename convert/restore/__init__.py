"""Pictures out of a model: folders of images in, PNGs out."""
