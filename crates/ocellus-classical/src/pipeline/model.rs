use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use ocellus_cluster::{Predict, Result, Transform, check};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

use super::step::StepModel;
use crate::{
    ClassifierModel, Real, Stored,
    model::{classifier, parse, to_document},
};

/// The model of a [`Pipeline`](crate::Pipeline).
#[derive(Debug)]
pub struct PipelineModel<T> {
    pub(super) steps: Vec<StepModel<T>>,
    pub(super) classifier: Box<dyn ClassifierModel<T>>,
}

impl<T: Real> PipelineModel<T> {
    /// The fitted classifier behind the steps.
    #[must_use]
    pub fn classifier(&self) -> &dyn ClassifierModel<T> {
        self.classifier.as_ref()
    }

    /// What the classifier sees of `x`.
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    pub fn prepare(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        Ok(self.prepared(x)?.into_owned())
    }

    fn prepared<'a>(&self, x: ArrayView2<'a, T>) -> Result<CowArray<'a, T, Ix2>> {
        check::features(x, self.features())?;
        let mut x = CowArray::from(x);
        for step in &self.steps {
            x = step.transform(x.view())?.into();
        }
        Ok(x)
    }
}

impl<T: Real> Predict<T> for PipelineModel<T> {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        self.classifier.predict(self.prepared(x)?.view())
    }
}

impl<T: Real> ClassifierModel<T> for PipelineModel<T> {
    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    fn features(&self) -> usize {
        self.steps.first().map_or_else(|| self.classifier.features(), StepModel::features)
    }

    fn parameter_count(&self) -> usize {
        let steps = self.steps.iter().map(StepModel::parameter_count);
        steps.sum::<usize>() + self.classifier.parameter_count()
    }

    fn predict_proba(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        self.classifier.predict_proba(self.prepared(x)?.view())
    }

    fn scores(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        self.classifier.scores(self.prepared(x)?.view())
    }

    fn to_document(&self) -> Result<String> {
        to_document(self)
    }
}

/// The classifier is a document of its own.
#[derive(Deserialize, Serialize)]
struct Parts<T> {
    steps: Vec<StepModel<T>>,
    classifier: Box<RawValue>,
}

impl<T: Real> Serialize for PipelineModel<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let document = self.classifier.to_document().map_err(ser::Error::custom)?;
        let classifier = RawValue::from_string(document).map_err(ser::Error::custom)?;
        Parts { steps: self.steps.clone(), classifier }.serialize(serializer)
    }
}

impl<'de, T: Real> Deserialize<'de> for PipelineModel<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let parts = Parts::deserialize(deserializer)?;
        let document = parse(parts.classifier.get()).map_err(de::Error::custom)?;
        let classifier = classifier(&document).map_err(de::Error::custom)?;
        Ok(Self { steps: parts.steps, classifier })
    }
}

impl<T: Real> Stored for PipelineModel<T> {
    const KIND: &'static str = "pipeline";
    const PRECISION: Option<&'static str> = Some(T::NAME);

    fn check(&self) -> std::result::Result<(), String> {
        if self.steps.iter().all(StepModel::fits) {
            Ok(())
        } else {
            Err("the parts of a step differ in size".into())
        }
    }
}
