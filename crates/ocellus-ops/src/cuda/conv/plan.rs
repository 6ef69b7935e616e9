use crate::conv::{Geometry, Padding};

/// A convolution x → y as cuDNN takes it: with the same padding on both sides of an axis. Where a
/// convolution has another, zeros are put around x before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    /// Dimensions of x, with the zeros that are put around it.
    pub(crate) x: [usize; 4],
    /// `(outputs, inputs of a group, height, width)`.
    pub(crate) weight: [usize; 4],
    pub(crate) y: [usize; 4],
    pub(crate) padding: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) groups: usize,
    /// Zeros that are put above x and to its left, of all that are put around it; none if x stays.
    pub(crate) around: Option<(usize, usize)>,
}

impl Plan {
    /// None where a transposed convolution has more output padding than its stride: then y has more
    /// rows by cuDNN's count. Nor for what has no element.
    pub(crate) fn of(g: &Geometry) -> Option<Self> {
        let Padding { top, bottom, left, right, .. } = g.padding;
        let even = top == bottom && left == right;
        let [batch, channels, height, width] = g.input_shape();
        let (x, padding, around) = if even {
            ([batch, channels, height, width], [top, left], None)
        } else {
            (
                [batch, channels, height + top + bottom, width + left + right],
                [0, 0],
                Some((top, left)),
            )
        };
        let counted = |size, padding, kernel, stride, dilation| {
            (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
        };
        let rows = counted(x[2], padding[0], g.kernel.0, g.stride.0, g.dilation.0);
        let columns = counted(x[3], padding[1], g.kernel.1, g.stride.1, g.dilation.1);
        let plan = Self {
            x,
            weight: [g.groups * g.co, g.ci, g.kernel.0, g.kernel.1],
            y: g.output_shape(),
            padding,
            stride: g.stride.into(),
            dilation: g.dilation.into(),
            groups: g.groups,
            around,
        };
        let fits = |dims: &[usize; 4]| {
            // cuDNN counts in 32 bits.
            dims.iter().product::<usize>() > 0 && dims.iter().product::<usize>() < 1 << 31
        };
        let fits = [plan.x, plan.weight, plan.y].iter().all(fits);
        ((rows, columns) == g.output && fits).then_some(plan)
    }
}

/// What is computed of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    /// y, from x and the weight.
    Forward,
    /// The gradient by x, from the one by y and the weight; or a transposed convolution.
    ByInput,
    /// The gradient by the weight, from x and the gradient by y.
    ByWeight,
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Result, Tensor};

    use super::*;
    use crate::{Conv2dConfig, ConvTranspose2dConfig};

    fn plan(x: [usize; 4], weight: [usize; 4], config: &Conv2dConfig) -> Option<Plan> {
        Plan::of(&Geometry::of_conv(&x, &weight, config).unwrap())
    }

    #[test]
    fn even_padding_is_left_to_cudnn_and_uneven_is_put_around() {
        let config =
            Conv2dConfig::default().with_stride((2, 1)).with_dilation((1, 2)).with_groups(2);
        let (x, weight) = ([2, 4, 9, 8], [6, 2, 3, 3]);
        let even = plan(x, weight, &config.with_padding((1, 2))).unwrap();
        assert_eq!((even.x, even.padding, even.around), (x, [1, 2], None));
        assert_eq!((even.stride, even.dilation, even.groups), ([2, 1], [1, 2], 2));
        assert_eq!((even.weight, even.y), (weight, [2, 6, 5, 8]));
        let uneven = plan(x, weight, &config.with_padding(Padding::new(0, 1, 2, 1))).unwrap();
        assert_eq!((uneven.x, uneven.padding), ([2, 4, 10, 11], [0, 0]));
        assert_eq!((uneven.around, uneven.y), (Some((0, 2)), [2, 6, 4, 7]));
    }

    #[test]
    fn what_cudnn_would_count_otherwise_is_refused() -> Result<()> {
        let y = Tensor::zeros((1, 2, 4, 4), DType::F32, &Device::Cpu)?;
        let weight = Tensor::zeros((2, 2, 3, 3), DType::F32, &Device::Cpu)?;
        let config = ConvTranspose2dConfig::default().with_stride((2, 2)).with_dilation((3, 3));
        let plan = |extra| -> Result<Option<Plan>> {
            let config = config.with_output_padding((extra, extra));
            Ok(Plan::of(&Geometry::of_transpose(&y, &weight, &config)?))
        };
        assert!(plan(0)?.is_some() && plan(1)?.is_some() && plan(2)?.is_none());
        Ok(())
    }

    #[test]
    fn empty_and_huge_tensors_are_refused() {
        let config = Conv2dConfig::default();
        assert!(plan([0, 2, 4, 4], [2, 2, 3, 3], &config).is_none());
        assert!(plan([1 << 20, 2, 64, 64], [2, 2, 3, 3], &config).is_none());
    }
}
