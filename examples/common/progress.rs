//! Progress bars on the standard error; silent where it is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `length` units with the time left; hidden by indicatif where there is no terminal.
pub(crate) fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    if let Ok(style) =
        ProgressStyle::with_template("{msg:<44} {wide_bar} {pos}/{len}  {elapsed} (left {eta})")
    {
        bar.set_style(style);
    }
    bar
}
