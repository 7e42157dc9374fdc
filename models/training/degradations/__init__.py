"""Second-order degradation: what a camera, a chat and a website do to a picture, drawn at random and repeatable."""
