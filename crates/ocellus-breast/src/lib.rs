//! Attention-gated VGG16 for breast ultrasound images.
