//! Sequential minimal optimization.
//!
//! ```text
//! min ½ αᵀQα − Σ αᵢ,   Qᵢⱼ = yᵢ yⱼ k(xᵢ, xⱼ),   0 ≤ αᵢ ≤ Cᵢ,   Σ yᵢ αᵢ = 0
//! ```
//!
//! With fᵢ = yᵢ ∂ᵢ = Σⱼ yⱼ αⱼ kᵢⱼ − yᵢ, the conditions of the optimum are free of signs: −fᵢ ≤ b where
//! yᵢαᵢ may grow ("up"), −fᵢ ≥ b where it may fall ("low").

use ocellus_cluster::{Float, Result};

use super::{
    passes::{Best, LEAST_CURVATURE, Second, first, update},
    rows::KernelRows,
};

/// What the solver is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) tolerance: f64,
    pub(super) shrinking: bool,
    pub(super) max_iterations: usize,
}

/// The optimum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Solution {
    /// yᵢ αᵢ
    pub(super) coefficients: Vec<f64>,
    /// b in the decision Σ yᵢ αᵢ k(xᵢ, x) + b.
    pub(super) intercept: f64,
    pub(super) objective: f64,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

/// Finds the optimum for classes `positive` and upper bounds `c`.
pub(super) fn solve<T: Float>(
    rows: &mut KernelRows<T>,
    positive: &[bool],
    c: &[f64],
    settings: Settings,
) -> Result<Solution> {
    let samples = positive.len();
    let mut solver = Solver {
        state: State::new(positive, c, rows.diagonal()),
        rows,
        settings,
        active: samples,
        unshrunk: false,
        bias: 0.,
        scratch: [vec![0.; samples], vec![0.; samples]],
    };
    solver.run()
}

/// What is known of each sample; the active ones come first.
struct State {
    sample: Vec<usize>,
    positive: Vec<bool>,
    alpha: Vec<f64>,
    c: Vec<f64>,
    diagonal: Vec<f64>,
    f: Vec<f64>,
    /// 0 where yα may grow, −∞ where not.
    up: Vec<f64>,
    /// 0 where yα may fall, −∞ where not.
    low: Vec<f64>,
}

const OUT: f64 = f64::NEG_INFINITY;

impl State {
    fn new(positive: &[bool], c: &[f64], diagonal: Vec<f64>) -> Self {
        let sign = |&positive: &bool| if positive { -1. } else { 1. };
        Self {
            sample: (0..positive.len()).collect(),
            positive: positive.to_vec(),
            alpha: vec![0.; positive.len()],
            c: c.to_vec(),
            diagonal,
            f: positive.iter().map(sign).collect(),
            up: positive.iter().map(|&p| if p { 0. } else { OUT }).collect(),
            low: positive.iter().map(|&p| if p { OUT } else { 0. }).collect(),
        }
    }

    /// How far yα of a sample may grow, or fall.
    fn room(&self, k: usize, grow: bool) -> f64 {
        if self.positive[k] == grow { self.c[k] - self.alpha[k] } else { self.alpha[k] }
    }

    /// Moves yα by `step` up or down; all the room there is leads onto the bound exactly.
    fn shift(&mut self, k: usize, step: f64, grow: bool) {
        let rises = self.positive[k] == grow;
        let all = step >= self.room(k, grow);
        self.alpha[k] = match (rises, all) {
            (true, true) => self.c[k],
            (true, false) => self.alpha[k] + step,
            (false, true) => 0.,
            (false, false) => self.alpha[k] - step,
        };
        let (below, above) = (self.alpha[k] < self.c[k], self.alpha[k] > 0.);
        let (up, low) = if self.positive[k] { (below, above) } else { (above, below) };
        self.up[k] = if up { 0. } else { OUT };
        self.low[k] = if low { 0. } else { OUT };
    }

    /// yα
    fn signed(&self, k: usize) -> f64 {
        if self.positive[k] { self.alpha[k] } else { -self.alpha[k] }
    }

    /// Puts the entries `order[0]`, `order[1]`, … at the places 0, 1, ….
    fn reorder(&mut self, order: &[usize]) {
        fn take<V: Copy>(values: &mut Vec<V>, order: &[usize]) {
            *values = order.iter().map(|&k| values[k]).collect();
        }
        take(&mut self.sample, order);
        take(&mut self.positive, order);
        for values in [
            &mut self.alpha,
            &mut self.c,
            &mut self.diagonal,
            &mut self.f,
            &mut self.up,
            &mut self.low,
        ] {
            take(values, order);
        }
    }
}

struct Solver<'a, T> {
    state: State,
    rows: &'a mut KernelRows<T>,
    settings: Settings,
    active: usize,
    /// Whether all samples were looked at again near the optimum.
    unshrunk: bool,
    /// About b, to guess which rows come next.
    bias: f64,
    /// The active entries of two rows, where not all are active.
    scratch: [Vec<f32>; 2],
}

impl<T: Float> Solver<'_, T> {
    fn run(&mut self) -> Result<Solution> {
        let period = self.state.f.len().clamp(1, 1000);
        let (mut countdown, mut iterations, mut converged) = (period + 1, 0, false);
        let mut up = self.first();
        while iterations < self.settings.max_iterations {
            countdown -= 1;
            if countdown == 0 {
                countdown = period;
                if self.settings.shrinking {
                    self.shrink()?;
                    up = self.first();
                }
            }
            let Some((i, j)) = self.working_set(up)? else {
                if self.active == self.state.f.len() {
                    converged = true;
                    break;
                }
                self.restore()?;
                up = self.first();
                countdown = 2;
                continue;
            };
            up = self.step(i, j)?;
            iterations += 1;
        }
        if self.active < self.state.f.len() {
            self.restore()?;
        }
        Ok(self.solution(iterations, converged))
    }

    fn first(&self) -> Best {
        first(&self.state.f[..self.active], &self.state.up[..self.active])
    }

    /// The pair to change next; none at the optimum of the active samples.
    fn working_set(&mut self, up: Best) -> Result<Option<(usize, usize)>> {
        let Some(i) = up.at else { return Ok(None) };
        self.fetch(i, None)?;
        if self.shrunk() {
            self.gather(i, 0);
        }
        let (state, active) = (&self.state, self.active);
        let row =
            if self.shrunk() { &self.scratch[0][..active] } else { self.rows.row(state.sample[i]) };
        let search = Second {
            f: &state.f[..active],
            low: &state.low[..active],
            diagonal: &state.diagonal[..active],
            row,
            itself: state.diagonal[i],
            value: state.f[i],
        };
        let (best, highest) = search.find();
        let gap = up.value + highest;
        self.bias = if highest.is_finite() { (up.value - highest) / 2. } else { up.value };
        let optimal = gap.is_nan() || gap < self.settings.tolerance;
        Ok(if optimal { None } else { best.at.map(|j| (i, j)) })
    }

    /// Solves for the pair, all others fixed; gives the first of the next.
    fn step(&mut self, i: usize, j: usize) -> Result<Best> {
        self.fetch(j, Some(i))?;
        if self.shrunk() {
            self.gather(j, 1);
        }
        let (shrunk, active) = (self.shrunk(), self.active);
        let state = &mut self.state;
        let [row_i, row_j] = if shrunk {
            [&self.scratch[0][..active], &self.scratch[1][..active]]
        } else {
            [self.rows.row(state.sample[i]), self.rows.row(state.sample[j])]
        };
        let curvature = state.diagonal[i] + state.diagonal[j] - 2. * f64::from(row_i[j]);
        let curvature = if curvature > 0. { curvature } else { LEAST_CURVATURE };
        let wanted = (state.f[j] - state.f[i]) / curvature;
        let step = wanted.min(state.room(i, true)).min(state.room(j, false));
        state.shift(i, step, true);
        state.shift(j, step, false);
        Ok(update(&mut state.f[..active], &state.up[..active], row_i, row_j, step))
    }

    fn shrunk(&self) -> bool {
        self.active < self.state.f.len()
    }

    fn gather(&mut self, k: usize, to: usize) {
        let row = self.rows.row(self.state.sample[k]);
        let to = &mut self.scratch[to][..self.active];
        for (value, &sample) in to.iter_mut().zip(&self.state.sample) {
            *value = row[sample];
        }
    }

    /// Fetches the row of the sample at k, and with it those that violate most.
    fn fetch(&mut self, k: usize, keep: Option<usize>) -> Result<()> {
        let (state, active, bias) = (&self.state, self.active, self.bias);
        let keep = keep.map(|k| state.sample[k]);
        self.rows.fetch(state.sample[k], keep, |rows| {
            let violation =
                |k: usize| (state.up[k] - state.f[k] - bias).max(state.low[k] + state.f[k] + bias);
            let missing = (0..active).filter(|&k| !rows.has(state.sample[k]));
            let mut missing: Vec<(f64, usize)> = missing.map(|k| (violation(k), k)).collect();
            let count = rows.block();
            if missing.len() > count {
                missing.select_nth_unstable_by(count - 1, |a, b| {
                    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
                });
                missing.truncate(count);
            }
            missing.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            missing.into_iter().map(|(_, k)| state.sample[k]).collect()
        })
    }

    /// Takes out the samples at a bound that seem to stay there.
    fn shrink(&mut self) -> Result<()> {
        let state = &self.state;
        let range = 0..self.active;
        let highest_up = range.clone().map(|k| state.up[k] - state.f[k]).fold(OUT, f64::max);
        let highest_low = range.map(|k| state.low[k] + state.f[k]).fold(OUT, f64::max);
        if !self.unshrunk && highest_up + highest_low <= self.settings.tolerance * 10. {
            self.unshrunk = true;
            if self.shrunk() {
                self.restore()?;
            }
        }
        let state = &self.state;
        let stays = |k: usize| match (state.up[k] == OUT, state.low[k] == OUT) {
            (false, true) => state.f[k] > highest_low,
            (true, false) => -state.f[k] > highest_up,
            _ => false,
        };
        let (out, mut order): (Vec<usize>, Vec<usize>) = (0..self.active).partition(|&k| stays(k));
        if out.is_empty() {
            return Ok(());
        }
        let kept = order.len();
        order.extend(out);
        order.extend(self.active..state.f.len());
        self.state.reorder(&order);
        self.active = kept;
        Ok(())
    }

    /// Brings all samples back, in their order, with the f that they have now.
    fn restore(&mut self) -> Result<()> {
        let samples = self.state.f.len();
        let idle = self.active..samples;
        for k in idle.clone() {
            self.state.f[k] = if self.state.positive[k] { -1. } else { 1. };
        }
        let support: Vec<usize> = (0..samples).filter(|&k| self.state.alpha[k] > 0.).collect();
        for (at, &k) in support.iter().enumerate() {
            let (state, support) = (&self.state, &support);
            self.rows.fetch(state.sample[k], None, |rows| {
                let next = support[at..].iter().map(|&k| state.sample[k]);
                next.filter(|&sample| !rows.has(sample)).take(rows.block()).collect()
            })?;
            let (row, signed) = (self.rows.row(state.sample[k]), state.signed(k));
            let state = &mut self.state;
            for (f, &sample) in state.f[idle.clone()].iter_mut().zip(&state.sample[idle.clone()]) {
                *f += signed * f64::from(row[sample]);
            }
        }
        let mut order = vec![0; samples];
        for (k, &sample) in self.state.sample.iter().enumerate() {
            order[sample] = k;
        }
        self.state.reorder(&order);
        self.active = samples;
        Ok(())
    }

    fn solution(&self, iterations: usize, converged: bool) -> Solution {
        let state = &self.state;
        let samples = 0..state.f.len();
        let free: Vec<f64> = samples
            .clone()
            .filter(|&k| state.up[k] == 0. && state.low[k] == 0.)
            .map(|k| state.f[k])
            .collect();
        let threshold = if free.is_empty() {
            let up = samples.clone().map(|k| state.up[k] - state.f[k]).fold(OUT, f64::max);
            let low = samples.clone().map(|k| state.low[k] + state.f[k]).fold(OUT, f64::max);
            (low - up) / 2.
        } else {
            free.iter().sum::<f64>() / free.len() as f64
        };
        let term = |k: usize| state.signed(k) * state.f[k] - state.alpha[k];
        Solution {
            coefficients: samples.clone().map(|k| state.signed(k)).collect(),
            intercept: -threshold,
            objective: samples.map(term).sum::<f64>() / 2.,
            iterations,
            converged,
        }
    }
}
