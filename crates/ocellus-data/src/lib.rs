//! Images to tensors: readers, splits, augmentation, loaders, synthetic ultrasound.
