use std::path::Path;

use super::{
    ClassifierModel, Stored,
    document::{Document, parse, read},
};
use crate::{
    DecisionTreeModel, Error, GaussianNaiveBayesModel, LogisticRegressionModel, PipelineModel,
    RandomForestModel, Real, Result, SvmModel,
};

/// Loads a classifier of any kind that [`ClassifierModel::save`] has written.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_classical::{Classifier, GaussianNaiveBayes, load};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("model.json");
/// let x = array![[0f32], [1.], [5.], [6.]];
/// let model = GaussianNaiveBayes::default().fit_boxed(x.view(), &[0, 0, 1, 1])?;
/// model.save(&path)?;
/// assert_eq!(load::<f32>(&path)?.predict_proba(x.view())?, model.predict_proba(x.view())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If the file cannot be read, ends early, holds no classifier, one of a newer version or of the
/// other precision, or is damaged.
pub fn load<T: Real>(path: &Path) -> Result<Box<dyn ClassifierModel<T>>> {
    let text = read(path)?;
    let model = parse(&text).and_then(|document| classifier(&document));
    model.map_err(|problem| Error::File { path: path.to_owned(), problem })
}

/// The table of all kinds.
pub(crate) fn classifier<T: Real>(
    document: &Document<'_>,
) -> std::result::Result<Box<dyn ClassifierModel<T>>, String> {
    const SVM: &str = SvmModel::<f64>::KIND;
    const PIPELINE: &str = PipelineModel::<f64>::KIND;
    Ok(match document.kind.as_str() {
        SVM => Box::new(document.model::<SvmModel<T>>()?),
        PIPELINE => Box::new(document.model::<PipelineModel<T>>()?),
        LogisticRegressionModel::KIND => Box::new(document.model::<LogisticRegressionModel>()?),
        DecisionTreeModel::KIND => Box::new(document.model::<DecisionTreeModel>()?),
        RandomForestModel::KIND => Box::new(document.model::<RandomForestModel>()?),
        GaussianNaiveBayesModel::KIND => Box::new(document.model::<GaussianNaiveBayesModel>()?),
        kind => return Err(format!("holds a model of kind `{kind}`, which is no classifier here")),
    })
}
