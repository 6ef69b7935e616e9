use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{checkpoint::exact, fit::Quantity};

/// What one epoch gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EpochRecord {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The batches of all epochs so far.
    pub steps: usize,
    /// The learning rate of the last step.
    #[serde(with = "exact::number")]
    pub learning_rate: f64,
    /// The mean of the batches' losses.
    #[serde(with = "exact::number")]
    pub train_loss: f64,
    /// The loss of the validation, if there was one.
    #[serde(with = "exact::option")]
    pub validation_loss: Option<f64>,
    /// The metrics of the validation.
    #[serde(with = "exact::map")]
    pub metrics: BTreeMap<String, f64>,
    /// What losses are multiplied by after the epoch, where the network computes in f16.
    #[serde(with = "exact::option", default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<f64>,
    /// Steps that were not taken, because scaled gradients were not finite.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped_steps: usize,
}

pub(crate) fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl EpochRecord {
    /// A monitored value; `None` if the epoch does not have it.
    #[must_use]
    pub fn value(&self, quantity: &Quantity) -> Option<f64> {
        match quantity {
            Quantity::TrainLoss => Some(self.train_loss),
            Quantity::ValidationLoss => self.validation_loss,
            Quantity::Metric(name) => self.metrics.get(name).copied(),
        }
    }
}

/// What all epochs gave, as rows of a table.
///
/// # Examples
///
/// ```
/// use ocellus_train::History;
///
/// let history = History::default();
/// assert_eq!(history.to_csv(), "epoch,steps,learning_rate,train_loss,validation_loss\n");
/// assert_eq!(history.to_json(), "[]");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    /// The epochs in order.
    pub epochs: Vec<EpochRecord>,
}

impl History {
    /// Comma-separated values with a header line: one column per metric that any epoch has, and an
    /// empty cell where an epoch lacks a value. Two columns more, before the metrics, where losses were
    /// scaled.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let metrics: BTreeSet<&String> =
            self.epochs.iter().flat_map(|e| e.metrics.keys()).collect();
        let scaled = self.epochs.iter().any(|e| e.loss_scale.is_some());
        let fixed = ["epoch", "steps", "learning_rate", "train_loss", "validation_loss"];
        let scaling = if scaled { &["loss_scale", "skipped_steps"][..] } else { &[] };
        let fixed = fixed.iter().chain(scaling).map(|&name| name.to_owned());
        let header = fixed.chain(metrics.iter().map(|m| cell(m)));
        let mut lines = vec![header.collect::<Vec<_>>().join(",")];
        for e in &self.epochs {
            let number = |v: Option<f64>| v.map_or(String::new(), |v| v.to_string());
            let mut cells = vec![
                e.epoch.to_string(),
                e.steps.to_string(),
                e.learning_rate.to_string(),
                e.train_loss.to_string(),
                number(e.validation_loss),
            ];
            if scaled {
                cells.extend([number(e.loss_scale), e.skipped_steps.to_string()]);
            }
            cells.extend(metrics.iter().map(|&name| number(e.metrics.get(name).copied())));
            lines.push(cells.join(","));
        }
        lines.join("\n") + "\n"
    }

    /// An array with one object per epoch. A number that JSON cannot hold is `null`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let rows = self.epochs.iter().map(|e| {
            let mut row = json!({
                "epoch": e.epoch,
                "steps": e.steps,
                "learning_rate": e.learning_rate,
                "train_loss": e.train_loss,
                "validation_loss": e.validation_loss,
                "metrics": e.metrics,
            });
            if let Some(scale) = e.loss_scale {
                row["loss_scale"] = json!(scale);
                row["skipped_steps"] = json!(e.skipped_steps);
            }
            row
        });
        serde_json::Value::Array(rows.collect()).to_string()
    }
}

/// A cell of CSV, in quotes where it needs them.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> History {
        let record = |epoch, validation_loss, metrics: &[(&str, f64)]| EpochRecord {
            epoch,
            steps: 10 * (epoch + 1),
            learning_rate: 0.1,
            train_loss: 0.5,
            validation_loss,
            metrics: metrics.iter().map(|&(name, v)| (name.to_owned(), v)).collect(),
            loss_scale: None,
            skipped_steps: 0,
        };
        History { epochs: vec![record(0, None, &[]), record(1, Some(0.25), &[("a,b", f64::NAN)])] }
    }

    #[test]
    fn csv_has_a_column_per_metric_and_empty_cells() {
        let expected = "epoch,steps,learning_rate,train_loss,validation_loss,\"a,b\"\n\
                        0,10,0.1,0.5,,\n1,20,0.1,0.5,0.25,NaN\n";
        assert_eq!(sample().to_csv(), expected);
    }

    #[test]
    fn a_scaled_loss_has_columns_and_members_of_its_own() {
        let mut history = sample();
        (history.epochs[1].loss_scale, history.epochs[1].skipped_steps) = (Some(32768.), 2);
        let expected = "epoch,steps,learning_rate,train_loss,validation_loss,loss_scale,skipped_steps,\"a,b\"\n\
             0,10,0.1,0.5,,,0,\n1,20,0.1,0.5,0.25,32768,2,NaN\n";
        assert_eq!(history.to_csv(), expected);
        let value: serde_json::Value = serde_json::from_str(&history.to_json()).unwrap();
        assert!(value[0].get("loss_scale").is_none());
        assert_eq!(
            (&value[1]["loss_scale"], &value[1]["skipped_steps"]),
            (&json!(32768.), &json!(2))
        );
        history.epochs[1].metrics.clear(); // A NaN equals nothing.
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    }

    #[test]
    fn json_has_an_object_per_epoch() {
        let value: serde_json::Value = serde_json::from_str(&sample().to_json()).unwrap();
        assert_eq!(value[1]["validation_loss"], 0.25);
        assert!(value[1]["metrics"]["a,b"].is_null());
    }
}
