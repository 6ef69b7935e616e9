//! Progress bars on the standard error; silent where it is no terminal.

use indicatif::{ProgressBar, ProgressStyle};
use ocellus::train::{EpochRecord, Observer, StepReport};

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

/// Shows steps, loss and, if so wished, a line an epoch with the last validation.
pub(crate) struct TrainingBar {
    bar: ProgressBar,
    label: String,
    metric: &'static str,
    verbose: bool,
}

impl TrainingBar {
    /// Of so many steps; `metric` is one that validation records.
    pub(crate) fn new(steps: usize, label: &str, metric: &'static str, verbose: bool) -> Self {
        Self { bar: bar(steps as u64, label), label: label.to_owned(), metric, verbose }
    }

    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for TrainingBar {
    fn on_step(&mut self, report: &StepReport) {
        self.bar.set_position(report.step as u64 + 1);
        self.bar.set_message(format!("{}  loss {:.3}", self.label, report.loss));
    }

    fn on_epoch_end(&mut self, record: &EpochRecord, _best: bool) {
        if !self.verbose {
            return;
        }
        let (label, epoch) = (&self.label, record.epoch + 1);
        let validation = record.validation_loss.map_or(String::new(), |loss| {
            let value = record.metrics.get(self.metric).copied().unwrap_or(f64::NAN);
            format!(", validation loss {loss:.4}, {} {value:.4}", self.metric.to_uppercase())
        });
        let scaling = record.loss_scale.map_or(String::new(), |scale| {
            format!(", loss scale {scale}, {} steps skipped", record.skipped_steps)
        });
        eprintln!("{label}: epoch {epoch}, loss {:.4}{validation}{scaling}", record.train_loss);
    }
}
