mod agreement;
mod bca;
mod bootstrap;
mod interval;
mod mean;
mod quantile;
mod wilson;

pub use agreement::Agreement;
pub use bootstrap::{
    BootstrapConfig, BootstrapInterval, BootstrapMethod, Resampling, bootstrap, gather,
};
pub use interval::Interval;
pub(crate) use mean::mean_and_variance;
pub use mean::mean_interval;
pub(crate) use quantile::quantile;
pub use wilson::wilson_interval;
