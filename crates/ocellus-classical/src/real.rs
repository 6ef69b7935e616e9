use ocellus_cluster::Float;
use serde::{Serialize, de::DeserializeOwned};

/// `f32` or `f64`, as [`Float`], that a model can be saved with.
pub trait Real: Float + Serialize + DeserializeOwned {
    /// Its name in a file.
    const NAME: &'static str;
}

impl Real for f32 {
    const NAME: &'static str = "f32";
}

impl Real for f64 {
    const NAME: &'static str = "f64";
}
