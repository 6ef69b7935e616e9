use candle_core::{DType, Device, Tensor};
use ocellus_ops::{AvgPool2dConfig, adaptive_avg_pool2d, avg_pool2d};

use super::adaptive::{adaptive_means, pooled_patches};
use crate::{
    Error, MapConfig, Result, Smoothing, State, Upsampling,
    on_cpu::{on_cpu, values},
    on_device::stays_there,
};

/// How the neighborhood of a place becomes a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatchPooling {
    /// The mean of the 3 × 3 places around it, of each channel, zeros beyond the edge: anomalib's.
    /// The vectors of all scales are concatenated.
    Mean,
    /// The values of the 3 × 3 places around it, zeros beyond the edge, channel by channel, averaged
    /// to `dims` numbers; then so are those of all scales: the authors'.
    Adaptive {
        /// Numbers of a vector.
        dims: usize,
    },
}

/// Features of several scales to vectors, one a place of the finest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Patches {
    /// Channels, height, width of each scale.
    scales: Vec<(usize, usize, usize)>,
    pooling: PatchPooling,
    resize: Upsampling,
}

impl Patches {
    pub(super) fn new(
        scales: &[(usize, usize, usize)],
        pooling: PatchPooling,
        resize: Upsampling,
    ) -> Result<Self> {
        if pooling == (PatchPooling::Adaptive { dims: 0 }) {
            return Err(Error::Setting("patches of 0 numbers: pool them to 1 at least".to_owned()));
        }
        if scales.is_empty() || scales.iter().any(|&(c, h, w)| c == 0 || h == 0 || w == 0) {
            return Err(Error::Shape(format!("features of scales {scales:?}: none may be empty")));
        }
        Ok(Self { scales: scales.to_vec(), pooling, resize })
    }

    pub(super) fn scales(&self) -> &[(usize, usize, usize)] {
        &self.scales
    }

    pub(super) fn settings(&self) -> (&[(usize, usize, usize)], PatchPooling, Upsampling) {
        (&self.scales, self.pooling, self.resize)
    }

    /// Height and width of the finest scale.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.scales[0].1, self.scales[0].2)
    }

    /// Entries of a vector.
    pub(super) fn dims(&self) -> usize {
        match self.pooling {
            PatchPooling::Mean => self.scales.iter().map(|scale| scale.0).sum(),
            PatchPooling::Adaptive { dims } => dims,
        }
    }

    /// The vectors of an image of a batch, one after the other.
    ///
    /// Each image is computed alone, so they are the same bits in any batch.
    pub(super) fn rows(&self, features: &[Tensor], image: usize) -> Result<Vec<f32>> {
        if stays_there(&features[0]) {
            let alone = features.iter().map(|x| x.narrow(0, image, 1));
            return values(&self.rows_there(&alone.collect::<Result<Vec<_>, _>>()?)?);
        }
        let cpu = |x: &Tensor| on_cpu(&x.narrow(0, image, 1)?, DType::F32);
        let images = features.iter().map(cpu).collect::<Result<Vec<_>>>()?;
        match self.pooling {
            PatchPooling::Mean => {
                let means = AvgPool2dConfig::new(3).with_stride((1, 1)).with_padding((1, 1));
                let pooled = images.iter().map(|x| Ok(avg_pool2d(x, &means)?));
                self.side_by_side(pooled.collect::<Result<Vec<_>>>()?)
            }
            PatchPooling::Adaptive { dims } => {
                let pool = |(x, &scale): (&Tensor, &(usize, usize, usize))| -> Result<Tensor> {
                    let pooled = pooled_patches(&x.flatten_all()?.to_vec1::<f32>()?, scale, dims);
                    Ok(Tensor::from_vec(pooled, (1, dims, scale.1, scale.2), &Device::Cpu)?)
                };
                let pooled = images.iter().zip(&self.scales).map(pool);
                let rows = self.side_by_side(pooled.collect::<Result<Vec<_>>>()?)?;
                let mut means = vec![0.; rows.len() / self.scales.len()];
                let wide = dims * self.scales.len();
                for (row, means) in rows.chunks_exact(wide).zip(means.chunks_exact_mut(dims)) {
                    adaptive_means(row, means);
                }
                Ok(means)
            }
        }
    }

    /// The vectors of all images of a batch, `(images · places, dims)`, on their device.
    ///
    /// No operation looks at two images, so they are the same bits in any batch.
    pub(super) fn rows_there(&self, features: &[Tensor]) -> Result<Tensor> {
        let size = self.size();
        let scale = |x: &Tensor| -> Result<Tensor> {
            let x = pooled(&x.to_dtype(DType::F32)?, self.pooling)?;
            let same = (x.dim(2)?, x.dim(3)?) == size;
            if same { Ok(x) } else { self.resize.apply(&x, size) }
        };
        let scales = features.iter().map(scale).collect::<Result<Vec<_>>>()?;
        // (images, all channels, places)
        let mut rows = Tensor::cat(&scales, 1)?.flatten_from(2)?;
        if let PatchPooling::Adaptive { dims } = self.pooling {
            rows = adaptive_avg_pool2d(&rows.unsqueeze(1)?, (dims, size.0 * size.1))?.squeeze(1)?;
        }
        Ok(rows.transpose(1, 2)?.contiguous()?.flatten_to(1)?)
    }

    /// Resizes all scales to the finest and puts their vectors side by side.
    fn side_by_side(&self, scales: Vec<Tensor>) -> Result<Vec<f32>> {
        let size = self.size();
        let resize = |x: Tensor| -> Result<Tensor> {
            let same = x.dims4()? == (1, x.dim(1)?, size.0, size.1);
            if same { Ok(x) } else { self.resize.apply(&x, size) }
        };
        let scales = scales.into_iter().map(resize).collect::<Result<Vec<_>>>()?;
        let rows = Tensor::cat(&scales, 1)?.squeeze(0)?.flatten_from(1)?.t()?;
        Ok(rows.contiguous()?.flatten_all()?.to_vec1()?)
    }

    pub(super) fn save(&self, state: &mut State) {
        let scales: Vec<usize> = self.scales.iter().flat_map(|&(c, h, w)| [c, h, w]).collect();
        state.set_all("scales", &scales);
        if let PatchPooling::Adaptive { dims } = self.pooling {
            state.set("patch-dims", dims);
        }
        let mut resize = State::default();
        let config = MapConfig::default().with_upsampling(self.resize);
        config.with_smoothing(Smoothing::None).save(&mut resize);
        state.extend(resize.under("resize"));
    }

    pub(super) fn restore(state: &State) -> Result<Self> {
        let numbers: Vec<usize> = state.get_all("scales")?;
        let (scales, rest) = numbers.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(Error::Value("has scales of no size".to_owned()));
        }
        let scales: Vec<_> = scales.iter().map(|&[c, h, w]| (c, h, w)).collect();
        let pooling = match state.find("patch-dims")? {
            Some(dims) => PatchPooling::Adaptive { dims },
            None => PatchPooling::Mean,
        };
        let resize = MapConfig::restore(&state.part("resize"))?.upsampling;
        Self::new(&scales, pooling, resize).map_err(|e| Error::Value(format!("has {e}")))
    }
}

/// The neighborhoods of all places of images `(batch, channels, height, width)`, as so many channels.
fn pooled(x: &Tensor, pooling: PatchPooling) -> Result<Tensor> {
    let PatchPooling::Adaptive { dims } = pooling else {
        let means = AvgPool2dConfig::new(3).with_stride((1, 1)).with_padding((1, 1));
        return Ok(avg_pool2d(x, &means)?);
    };
    let (batch, channels, height, width) = x.dims4()?;
    let x = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
    let shifted = |i: usize| x.narrow(2, i / 3, height)?.narrow(3, i % 3, width);
    let windows = (0..9).map(shifted).collect::<Result<Vec<_>, _>>()?;
    // A plane whose rows are the 9 values of each channel, whose columns are the places.
    let plane = (batch, 1, channels * 9, height * width);
    let windows = Tensor::stack(&windows, 2)?.reshape(plane)?;
    let means = adaptive_avg_pool2d(&windows, (dims, height * width))?;
    Ok(means.reshape((batch, dims, height, width))?)
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::on_device::as_on_a_device;

    #[test]
    fn vectors_are_the_same_bits_alone_and_in_any_batch() -> Result<()> {
        let features = [fill((3, 4, 6, 5), 0.1, DType::F32)?, fill((3, 7, 3, 3), 0.7, DType::F32)?];
        for pooling in [PatchPooling::Mean, PatchPooling::Adaptive { dims: 5 }] {
            let patches = Patches::new(&[(4, 6, 5), (7, 3, 3)], pooling, Upsampling::Bilinear)?;
            for image in 0..3 {
                let rows = patches.rows(&features, image)?;
                assert_eq!(rows.len(), 30 * patches.dims());
                let alone = [features[0].narrow(0, image, 1)?, features[1].narrow(0, image, 1)?];
                assert_eq!(patches.rows(&alone, 0)?, rows);
            }
        }
        Ok(())
    }

    #[test]
    fn a_device_makes_the_same_vectors() -> Result<()> {
        let features = [fill((3, 4, 6, 5), 0.1, DType::F32)?, fill((3, 7, 3, 3), 0.7, DType::F32)?];
        for (pooling, resize, tolerance) in [
            (PatchPooling::Mean, Upsampling::Bilinear, 0.),
            (PatchPooling::Mean, Upsampling::Nearest, 0.),
            (PatchPooling::Adaptive { dims: 5 }, Upsampling::Bilinear, 1e-6),
            (PatchPooling::Adaptive { dims: 50 }, Upsampling::Nearest, 1e-6),
        ] {
            let patches = Patches::new(&[(4, 6, 5), (7, 3, 3)], pooling, resize)?;
            let there = patches.rows_there(&features)?;
            assert_eq!(there.dims(), [90, patches.dims()]);
            for image in 0..3 {
                let rows = patches.rows(&features, image)?;
                let expected = Tensor::from_vec(rows, (30, patches.dims()), &Device::Cpu)?;
                assert_close(&there.narrow(0, image * 30, 30)?, &expected, tolerance)?;
                let alone = as_on_a_device(|| patches.rows(&features, image))?;
                assert_eq!(alone, values(&there.narrow(0, image * 30, 30)?)?);
            }
        }
        Ok(())
    }

    #[test]
    fn settings_come_back() -> Result<()> {
        for (pooling, resize) in [
            (PatchPooling::Mean, Upsampling::Nearest),
            (PatchPooling::Adaptive { dims: 3 }, Upsampling::Bilinear),
        ] {
            let patches = Patches::new(&[(4, 6, 5), (7, 3, 3)], pooling, resize)?;
            let mut state = State::default();
            patches.save(&mut state);
            assert_eq!(Patches::restore(&state)?, patches);
        }
        assert!(Patches::restore(&State::default()).is_err());
        let none = Patches::new(&[], PatchPooling::Mean, Upsampling::Nearest);
        assert!(none.unwrap_err().to_string().contains("none may be empty"));
        let zero = PatchPooling::Adaptive { dims: 0 };
        assert!(Patches::new(&[(1, 1, 1)], zero, Upsampling::Nearest).is_err());
        Ok(())
    }
}
