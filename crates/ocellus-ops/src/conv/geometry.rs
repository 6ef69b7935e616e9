use candle_core::{Context, Result, Tensor, bail};

use super::{Conv2dConfig, ConvAlgorithm, ConvTranspose2dConfig, Padding};

/// The sizes of a convolution x → y, checked. A transposed convolution y → x has the same.
///
/// x is `(batch, groups · ci, h, w)`, the weight `(groups · co, ci, kh, kw)`, y
/// `(batch, groups · co, oh, ow)`. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) groups: usize,
    /// Channels of x in a group.
    pub(crate) ci: usize,
    /// Channels of y in a group.
    pub(crate) co: usize,
    pub(crate) input: (usize, usize),
    pub(crate) output: (usize, usize),
    pub(crate) kernel: (usize, usize),
    pub(crate) stride: (usize, usize),
    pub(crate) dilation: (usize, usize),
    pub(crate) padding: Padding,
    pub(crate) algorithm: ConvAlgorithm,
}

impl Geometry {
    /// The sizes of `conv2d(x, weight)`.
    pub(crate) fn of_conv(x: &[usize], weight: &[usize], config: &Conv2dConfig) -> Result<Self> {
        let &Conv2dConfig { stride, padding, dilation, groups, algorithm } = config;
        let algorithm = algorithm.chosen();
        let (batch, channels, h, w) = dims4("conv2d", "the input", x)?;
        let (co, ci, kh, kw) = dims4("conv2d", "the weight", weight)?;
        check("conv2d", stride, dilation, groups, weight)?;
        if channels != ci * groups {
            bail!(
                "conv2d: the input has {channels} channels, but the weight {weight:?} with \
                 {groups} group(s) takes {}: the weight must be (out, in / groups, height, width)",
                ci * groups
            )
        }
        if !co.is_multiple_of(groups) {
            bail!("conv2d: {co} output channels are no multiple of {groups} groups")
        }
        let vertical = (h, padding.top, padding.bottom, kh, stride.0, dilation.0);
        let horizontal = (w, padding.left, padding.right, kw, stride.1, dilation.1);
        let output = (shrunk("height", vertical)?, shrunk("width", horizontal)?);
        let (co, input, kernel) = (co / groups, (h, w), (kh, kw));
        let g = Self {
            batch,
            groups,
            ci,
            co,
            input,
            output,
            kernel,
            stride,
            dilation,
            padding,
            algorithm,
        };
        if config.algorithm == ConvAlgorithm::Winograd && !(g.suits_winograd() || g.suits_phases())
        {
            bail!(
                "conv2d: Winograd's algorithm is for kernels of 3 × 3 with stride 1 or 4 × 4 with \
                 stride 2, dilation 1 and one group, got {kh} × {kw}, stride {stride:?}, dilation {dilation:?}, {groups} \
                 group(s): choose ConvAlgorithm::Auto"
            )
        }
        Ok(g)
    }

    /// The sizes of the convolution that `conv_transpose2d(y, weight)` is the transpose of.
    pub(crate) fn of_transpose(
        y: &Tensor,
        weight: &Tensor,
        config: &ConvTranspose2dConfig,
    ) -> Result<Self> {
        const OP: &str = "conv_transpose2d";
        let &ConvTranspose2dConfig { stride, padding, output_padding, dilation, groups } = config;
        let (batch, channels, oh, ow) = dims4(OP, "the input", y.dims())?;
        let (co, ci, kh, kw) = dims4(OP, "the weight", weight.dims())?;
        check(OP, stride, dilation, groups, weight.dims())?;
        if channels != co {
            bail!(
                "{OP}: the input has {channels} channels, the weight {:?} takes {co}: it must be \
                 (in, out / groups, height, width)",
                weight.dims()
            )
        }
        if !co.is_multiple_of(groups) {
            bail!("{OP}: {co} input channels are no multiple of {groups} groups")
        }
        let least = (stride.0.max(dilation.0), stride.1.max(dilation.1));
        if output_padding.0 >= least.0 || output_padding.1 >= least.1 {
            bail!(
                "{OP}: output padding {output_padding:?} must be less than the stride {stride:?} \
                 or the dilation {dilation:?}"
            )
        }
        let (p, extra) = (padding, output_padding);
        let vertical = (oh, p.top, p.bottom, kh, stride.0, dilation.0);
        let horizontal = (ow, p.left, p.right, kw, stride.1, dilation.1);
        let input = (grown("height", vertical, extra.0)?, grown("width", horizontal, extra.1)?);
        let (co, output, kernel) = (co / groups, (oh, ow), (kh, kw));
        let algorithm = ConvAlgorithm::Auto.chosen();
        Ok(Self {
            batch,
            groups,
            ci,
            co,
            input,
            output,
            kernel,
            stride,
            dilation,
            padding,
            algorithm,
        })
    }

    /// Pixels of a plane of x.
    pub(crate) fn input_plane(&self) -> usize {
        self.input.0 * self.input.1
    }

    /// Pixels of a plane of y.
    pub(crate) fn output_plane(&self) -> usize {
        self.output.0 * self.output.1
    }

    /// Taps of the kernel.
    pub(crate) fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// Entries of a filter: the terms summed for an output value.
    pub(crate) fn depth(&self) -> usize {
        self.ci * self.taps()
    }

    pub(crate) fn input_shape(&self) -> [usize; 4] {
        [self.batch, self.groups * self.ci, self.input.0, self.input.1]
    }

    pub(crate) fn output_shape(&self) -> [usize; 4] {
        [self.batch, self.groups * self.co, self.output.0, self.output.1]
    }

    /// Whether Winograd's algorithm can compute it and its gradients.
    pub(super) fn suits_winograd(&self) -> bool {
        self.is_dense(3, 1)
    }

    /// Whether Winograd's algorithm can compute its phases.
    pub(super) fn suits_phases(&self) -> bool {
        self.is_dense(4, 2)
    }

    fn is_dense(&self, kernel: usize, stride: usize) -> bool {
        self.kernel == (kernel, kernel)
            && self.stride == (stride, stride)
            && self.dilation == (1, 1)
            && self.groups == 1
    }

    /// The convolution dy → dx with turned filters, where the gradient by x is one: at stride 1,
    /// and with no more padding than the kernel reaches.
    pub(super) fn turned(&self) -> Option<Self> {
        let reach = (self.dilation.0 * (self.kernel.0 - 1), self.dilation.1 * (self.kernel.1 - 1));
        if self.stride != (1, 1) {
            return None;
        }
        let top = reach.0.checked_sub(self.padding.top)?;
        let left = reach.1.checked_sub(self.padding.left)?;
        // What is left of the output's size; with output padding more than `reach - padding`.
        let bottom = (self.input.0 + reach.0).checked_sub(self.output.0 + top)?;
        let right = (self.input.1 + reach.1).checked_sub(self.output.1 + left)?;
        let padding = Padding::new(top, bottom, left, right);
        let (input, output) = (self.output, self.input);
        Some(Self { ci: self.co, co: self.ci, input, output, padding, ..*self })
    }
}

fn dims4(op: &str, what: &str, dims: &[usize]) -> Result<(usize, usize, usize, usize)> {
    match *dims {
        [a, b, c, d] => Ok((a, b, c, d)),
        ref other => bail!("{op}: {what} must have 4 dimensions, got {other:?}"),
    }
}

fn check(
    op: &str,
    stride: (usize, usize),
    dilation: (usize, usize),
    groups: usize,
    weight: &[usize],
) -> Result<()> {
    for (what, (a, b)) in [("stride", stride), ("dilation", dilation)] {
        if a == 0 || b == 0 {
            bail!("{op}: the {what} ({a}, {b}) must be at least (1, 1)")
        }
    }
    if groups == 0 {
        bail!("{op}: groups must be at least 1, got 0")
    }
    if weight.contains(&0) {
        bail!("{op}: the weight is empty: {weight:?}")
    }
    Ok(())
}

/// (size, zeros before, zeros after, kernel, stride, dilation) along a side.
type Side = (usize, usize, usize, usize, usize, usize);

/// The output's side of a convolution.
fn shrunk(name: &str, (size, before, after, kernel, stride, dilation): Side) -> Result<usize> {
    let padded = size.checked_add(before).and_then(|s| s.checked_add(after));
    let reach = (kernel - 1).checked_mul(dilation).and_then(|r| r.checked_add(1));
    let (padded, reach) = padded.zip(reach).context("conv2d: sizes overflow")?;
    if reach > padded {
        bail!(
            "conv2d: a kernel of {name} {kernel} (dilation {dilation}) covers {reach} pixels, but \
             the padded input has {padded} ({before} + {size} + {after}): pad more, or use a \
             smaller kernel"
        )
    }
    Ok((padded - reach) / stride + 1)
}

/// The output's side of a transposed convolution.
fn grown(name: &str, side: Side, extra: usize) -> Result<usize> {
    let (size, before, after, kernel, stride, dilation) = side;
    let full = size.checked_sub(1).and_then(|s| s.checked_mul(stride));
    let reach = (kernel - 1).checked_mul(dilation).and_then(|r| r.checked_add(1 + extra));
    let full = full.zip(reach).and_then(|(f, r)| f.checked_add(r));
    let cut = before.checked_add(after);
    match full.zip(cut) {
        Some((full, cut)) if full > cut => Ok(full - cut),
        _ => bail!(
            "conv_transpose2d: from {name} {size} with kernel {kernel}, stride {stride}, dilation \
             {dilation} and output padding {extra}, padding {before} + {after} leaves nothing: pad \
             less"
        ),
    }
}
