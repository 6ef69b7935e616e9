use candle_core::{Result, Tensor};

/// Images continued at their bottom and right by their mirror image, up to multiples of `multiple`;
/// the edge itself is not repeated.
///
/// As PyTorch's `reflect`, but mirrored again where an image is smaller than what is added. Top and
/// left stay, so that a pixel keeps its place on the network's grid whatever the size.
pub(crate) fn mirrored(x: &Tensor, multiple: usize) -> Result<Tensor> {
    continued(&continued(x, 2, multiple)?, 3, multiple)
}

/// The top left corner of that size.
pub(crate) fn cropped(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    x.narrow(2, 0, height)?.narrow(3, 0, width)
}

fn continued(x: &Tensor, dim: usize, multiple: usize) -> Result<Tensor> {
    let size = x.dim(dim)?;
    let wanted = size.next_multiple_of(multiple);
    if wanted == size {
        return Ok(x.clone());
    }
    let period = (2 * (size - 1)).max(1);
    let place = |i: usize| (i % period).min(period - i % period) as u32;
    let places: Vec<u32> = (0..wanted).map(place).collect();
    x.contiguous()?.index_select(&Tensor::from_vec(places, wanted, x.device())?, dim)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, check_gradients, fill};

    use super::*;

    fn row(size: usize) -> Result<Vec<f32>> {
        let x = Tensor::arange(0f32, size as f32, &Device::Cpu)?.reshape((1, 1, 1, size))?;
        mirrored(&x, 8)?.narrow(2, 0, 1)?.flatten_all()?.to_vec1()
    }

    #[test]
    fn the_edge_is_a_mirror() -> Result<()> {
        assert_eq!(row(8)?, [0., 1., 2., 3., 4., 5., 6., 7.]);
        assert_eq!(row(5)?, [0., 1., 2., 3., 4., 3., 2., 1.]);
        assert_eq!(row(3)?, [0., 1., 2., 1., 0., 1., 2., 1.]);
        assert_eq!(row(2)?, [0., 1., 0., 1., 0., 1., 0., 1.]);
        assert_eq!(row(1)?, [0.; 8]);
        Ok(())
    }

    #[test]
    fn what_is_cropped_is_the_image() -> Result<()> {
        let x = fill((2, 3, 11, 6), 0.1, DType::F32)?;
        let padded = mirrored(&x.transpose(2, 3)?, 16)?;
        assert_eq!(padded.dims(), [2, 3, 16, 16]);
        assert_close(&cropped(&padded, 6, 11)?, &x.transpose(2, 3)?, 0.)
    }

    #[test]
    fn its_gradients_are_exact() -> Result<()> {
        for size in [(3, 2), (5, 9), (1, 8)] {
            let x = fill((1, 2, size.0, size.1), 0.4, DType::F64)?;
            check_gradients(|x| mirrored(&x[0], 8), std::slice::from_ref(&x), 1e-8)?;
            check_gradients(|x| cropped(&mirrored(&x[0], 8)?, size.0, size.1), &[x], 1e-8)?;
        }
        Ok(())
    }
}
