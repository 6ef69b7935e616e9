/// The network of a coupling, which finds scale and shift: two layers with a ReLU between.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Subnet {
    /// Two linear layers at each pixel, the hidden one twice as wide as the input: CFLOW-AD's.
    Pointwise,
    /// Two convolutions that keep the size: FastFlow's.
    Conv {
        /// Side of the kernel, an odd number.
        kernel: usize,
        /// The hidden layer's channels, as a share of the input's; rounded down.
        hidden_ratio: f64,
    },
}

/// How channels change places between couplings, so that each is transformed by some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mixing {
    /// A random permutation: anomalib's, and FastFlow's.
    #[default]
    Hard,
    /// A random rotation, uniform on SO(C): the official CFLOW-AD's.
    Soft,
}
