mod delong;
mod holm;
mod mcnemar;
mod ranks;
mod t_test;
mod wilcoxon;

pub use delong::{DeLong, DeLongTest, delong_test};
pub use holm::holm;
pub use mcnemar::{ChiSquaredTest, McNemar};
pub use t_test::{TTest, corrected_t_test, paired_t_test};
pub use wilcoxon::{WilcoxonTest, wilcoxon_test};
