use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use ocellus::candle::{DType, Device, Result, Tensor, Var, backprop::GradStore};
use ocellus::ops::{CrossEntropyConfig, Reduction, backward, binary_cross_entropy, cross_entropy};
use ocellus::params::ParamStore;
use ocellus::train::{Adam, AdamConfig, Optimizer, RmsProp, RmsPropConfig, Sgd, SgdConfig};

use crate::estimator::samples;
use crate::module::Forward;
use crate::values::{classes, fill, vary};
use crate::{Case, Estimator, Library, Module, Pass, Target};

/// A [`Case`] with its weights and inputs, ready to be run again and again.
///
/// All values are the same on every machine.
pub struct Prepared {
    case: Case,
    target: Target,
    forward: Forward,
    params: ParamStore,
    inputs: Vec<Tensor>,
    classes: Option<Tensor>,
    upstream: Option<Tensor>,
    run: Run,
}

type Run = Box<dyn FnMut() -> Result<()>>;

impl Prepared {
    /// Builds the module on the CPU, draws its weights, fills its inputs.
    ///
    /// # Errors
    ///
    /// If the module does not take an input of that size.
    pub fn new(case: &Case, library: Library) -> Result<Self> {
        Self::on(&Target::cpu(), case, library)
    }

    /// Builds it where it is to run.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), or if the device has no memory for it.
    pub fn on(target: &Target, case: &Case, library: Library) -> Result<Self> {
        let &Case { module, pass, input, .. } = case;
        let params = ParamStore::seeded(1);
        let build = || {
            let vb = params.var_builder(DType::F32, &target.device);
            module.build(input[1], library, pass == Pass::Forward, vb)
        };
        let mut forward = build()?;
        vary(&params)?;
        if !pass.tracks_weights() {
            params.freeze("*");
            forward = build()?;
        }
        let images = module == Module::Estimator { what: Estimator::ImageFeatures };
        let estimator = matches!(module, Module::Estimator { .. }) && !images;
        let mut inputs = vec![if estimator { samples(input)? } else { fill(&input, 1)? }];
        if let Some(channels) = module.second_input(input[1]) {
            inputs.push(fill(&[input[0], channels, input[2], input[3]], 2)?);
        }
        inputs = inputs.iter().map(|x| target.input(x)).collect::<Result<_>>()?;
        if pass.tracks_inputs() {
            let var = |x: &Tensor| Ok(Var::from_tensor(x)?.into_inner());
            inputs = inputs.iter().map(var).collect::<Result<_>>()?;
        }
        let [batch, channels, height, width] = input;
        let classes = match module.classes(channels) {
            Some((count, true)) => Some(classes(&[batch, height, width], count)?),
            Some((count, false)) => Some(classes(&[batch], count)?),
            None => None,
        };
        let classes = classes.map(|classes| classes.to_device(&target.device)).transpose()?;
        if classes.is_some() && module.name() == "cross_entropy" {
            inputs.extend(classes.clone());
        }
        let upstream = None;
        let run: Run = Box::new(|| Ok(()));
        let (case, target) = (*case, target.clone());
        let mut prepared = Self { case, target, forward, params, inputs, classes, upstream, run };
        if pass.is_gradient() {
            let shape = prepared.outputs()?[0].shape().clone();
            prepared.upstream = Some(prepared.target.input(&fill(shape, 5)?)?);
        }
        prepared.run = prepared.work()?;
        Ok(prepared)
    }

    /// Does the work once.
    ///
    /// # Errors
    ///
    /// As the module.
    pub fn run(&mut self) -> Result<()> {
        self.target.within(&mut self.run)
    }

    /// All that another library needs to do the same work: `param.NAME`, `input.0`, `target`,
    /// `upstream`.
    ///
    /// # Errors
    ///
    /// If a device does not give them back.
    pub fn exchange(&self) -> Result<HashMap<String, Tensor>> {
        let params = self.params.tensors().into_iter();
        let mut tensors: HashMap<_, _> =
            params.map(|(name, tensor)| (format!("param.{name}"), tensor)).collect();
        for (i, x) in self.inputs.iter().enumerate() {
            tensors.insert(format!("input.{i}"), x.clone());
        }
        tensors.extend(self.classes.iter().map(|x| ("target".to_owned(), x.clone())));
        tensors.extend(self.upstream.iter().map(|x| ("upstream".to_owned(), x.clone())));
        on_cpu(tensors)
    }

    /// How long `runs` runs take.
    ///
    /// # Errors
    ///
    /// As the module.
    pub fn time(&mut self, runs: usize) -> Result<Duration> {
        let target = self.target.clone();
        target.time(runs, || self.run())
    }

    /// What the work gives, by name: outputs, gradients, or weights after one update.
    ///
    /// # Errors
    ///
    /// As the module.
    pub fn results(&mut self) -> Result<HashMap<String, Tensor>> {
        let target = self.target.clone();
        on_cpu(target.within(|| self.computed())?)
    }

    fn computed(&mut self) -> Result<HashMap<String, Tensor>> {
        let pass = self.case.pass;
        if pass.is_update() {
            self.run()?;
            let weights = self.params.trainable().into_iter();
            return weights
                .map(|(name, var)| Ok((name, var.as_detached_tensor().copy()?)))
                .collect();
        }
        if matches!(pass, Pass::Forward | Pass::Training | Pass::Fit) {
            let outputs = self.outputs()?.into_iter().enumerate();
            return Ok(outputs.map(|(i, y)| (format!("output.{i}"), y)).collect());
        }
        let outputs = self.outputs()?;
        let loss = match &self.upstream {
            Some(upstream) => (&outputs[0] * upstream)?.sum_all()?,
            None => loss(&self.case, &outputs[0], self.classes.as_ref())?,
        };
        let grads = backward(&loss)?;
        let inputs = self.inputs.iter().enumerate();
        let inputs = inputs.map(|(i, x)| (format!("grad.input.{i}"), x.clone()));
        let weights = self.params.trainable().into_iter();
        let weights = weights.map(|(name, var)| (format!("grad.{name}"), var.as_tensor().clone()));
        let gradients = inputs.chain(weights);
        Ok(gradients.filter_map(|(name, x)| Some((name, grads.get(&x)?.clone()))).collect())
    }

    /// The least memory traffic in bytes: all that goes in and comes out, once. Nothing between.
    ///
    /// # Errors
    ///
    /// As the module.
    pub fn traffic(&mut self) -> Result<u64> {
        let size = |tensors: &HashMap<String, Tensor>| -> u64 {
            let bytes = |x: &Tensor| x.elem_count() * x.dtype().size_in_bytes();
            tensors.values().map(bytes).sum::<usize>() as u64
        };
        let mut read = self.exchange()?;
        match self.case.pass {
            Pass::ByX => read.retain(|name, _| !name.starts_with("input.")),
            Pass::ByW => read.retain(|name, _| !name.starts_with("param.")),
            _ => {}
        }
        let written = size(&self.results()?);
        // An optimizer reads weights, gradients and state, and writes weights and state.
        let state = match self.case.pass {
            Pass::Sgd | Pass::Rmsprop => 3,
            Pass::Adam => 5,
            _ => 0,
        };
        Ok(size(&read) + written + state * written)
    }

    fn outputs(&self) -> Result<Vec<Tensor>> {
        (self.forward)(&self.inputs, self.case.pass != Pass::Forward)
    }

    fn work(&self) -> Result<Run> {
        let train = self.case.pass != Pass::Forward;
        let (forward, inputs) = (self.forward.clone(), self.inputs.clone());
        let (target, params, case) = (self.classes.clone(), self.params.trainable(), self.case);
        let loss = move |output: &Tensor, target: Option<&Tensor>| loss(&case, output, target);
        Ok(match self.case.pass {
            Pass::Forward | Pass::Training | Pass::Fit => {
                Box::new(move || forward(&inputs, train).map(drop))
            }
            Pass::ByX | Pass::ByW | Pass::Backward => {
                let output = forward(&inputs, train)?.swap_remove(0);
                Box::new(move || backward(&output).map(drop))
            }
            Pass::ForwardBackward => Box::new(move || {
                backward(&loss(&forward(&inputs, train)?[0], target.as_ref())?).map(drop)
            }),
            Pass::Step if case.module.is_likelihood() => {
                let mut adam = Adam::new(AdamConfig::new(1e-4), params)?;
                Box::new(move || {
                    let loss = loss(&forward(&inputs, train)?[0], target.as_ref())?;
                    adam.step(&backward(&loss)?)
                })
            }
            Pass::Step => {
                let mut sgd = Sgd::new(SgdConfig::new(1e-4).with_momentum(0.9), params)?;
                Box::new(move || {
                    let loss = loss(&forward(&inputs, train)?[0], target.as_ref())?;
                    sgd.step(&backward(&loss)?)
                })
            }
            Pass::Sgd => {
                update(Sgd::new(SgdConfig::new(1e-4).with_momentum(0.9), params.clone())?, &params)?
            }
            Pass::Rmsprop => {
                update(RmsProp::new(RmsPropConfig::pytorch(1e-4), params.clone())?, &params)?
            }
            Pass::Adam => update(Adam::new(AdamConfig::new(1e-4), params.clone())?, &params)?,
        })
    }
}

/// Where another library reads them.
fn on_cpu(tensors: HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
    let moved = |(name, x): (String, Tensor)| {
        let x = x.to_device(&Device::Cpu)?;
        let x = if x.dtype().is_float() { x.to_dtype(DType::F32)? } else { x };
        Ok((name, x))
    };
    tensors.into_iter().map(moved).collect()
}

/// The cross-entropy with the target, −ln sigmoid of likelihoods, else the mean square.
fn loss(case: &Case, output: &Tensor, target: Option<&Tensor>) -> Result<Tensor> {
    let output = &output.to_dtype(DType::F32)?;
    match target {
        None if case.module.is_likelihood() => {
            binary_cross_entropy(output, &output.ones_like()?, None, Reduction::Mean)
        }
        Some(target) => cross_entropy(output, target, &CrossEntropyConfig::default()),
        None => output.sqr()?.mean_all(),
    }
}

/// Steps of an optimizer, the gradient of each weight being its value at the start.
fn update(mut optimizer: impl Optimizer + 'static, params: &[(String, Var)]) -> Result<Run> {
    let mut grads = GradStore::default();
    for (_, var) in params {
        grads.insert(var.as_tensor(), var.as_detached_tensor().copy()?);
    }
    Ok(Box::new(move || optimizer.step(&grads)))
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("case", &self.case).finish_non_exhaustive()
    }
}
