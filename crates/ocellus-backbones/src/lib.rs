//! VGG networks that describe their stages and read published weights.
