//! Networks filled by a formula equal torchvision's.

mod resnet;
mod support;
mod vgg;
