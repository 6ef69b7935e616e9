//! Layers for image networks: attention gates, blocks, seeded dropout.
