"""The adversarial stage: a U-Net discriminator beside the model."""
