//! Classifies breast lesions in ultrasound images.

fn main() {}
