//! Convolutions forward and backward, beside candle's own.
//!
//! ids: `pass/variant/shape`, a shape being `batch x in x height x width - out x kernel`. `by_x` and
//! `by_w` are the gradients by input and weight alone (which candle cannot do), `backward` is both.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use ocellus::candle::{Device, Result, Tensor, Var};
use ocellus::ops::{Conv2dConfig, ConvTranspose2dConfig, conv_transpose2d, conv2d};

/// A square convolution: sizes of input and weight, stride, padding.
struct Shape {
    name: &'static str,
    x: [usize; 4],
    weight: [usize; 4],
    stride: usize,
    padding: usize,
    transposed: bool,
}

const fn conv(
    name: &'static str,
    x: [usize; 4],
    (out, kernel): (usize, usize),
    stride: usize,
    padding: usize,
) -> Shape {
    Shape { name, x, weight: [out, x[1], kernel, kernel], stride, padding, transposed: false }
}

const fn deconv(name: &'static str, x: [usize; 4], out: usize) -> Shape {
    Shape { name, x, weight: [x[1], out, 4, 4], stride: 2, padding: 1, transposed: true }
}

/// VGG16's layers on 128² images, the stem and strided layers of residual networks, pointwise
/// layers, and the deconvolutions of decoders.
const SHAPES: [Shape; 17] = [
    conv("vgg_1_1", [8, 3, 128, 128], (64, 3), 1, 1),
    conv("vgg_1_2", [8, 64, 128, 128], (64, 3), 1, 1),
    conv("vgg_2_1", [8, 64, 64, 64], (128, 3), 1, 1),
    conv("vgg_2_2", [8, 128, 64, 64], (128, 3), 1, 1),
    conv("vgg_3_1", [8, 128, 32, 32], (256, 3), 1, 1),
    conv("vgg_3_2", [8, 256, 32, 32], (256, 3), 1, 1),
    conv("vgg_4_1", [8, 256, 16, 16], (512, 3), 1, 1),
    conv("vgg_4_2", [8, 512, 16, 16], (512, 3), 1, 1),
    conv("vgg_5", [8, 512, 8, 8], (512, 3), 1, 1),
    conv("vgg_5_batch_32", [32, 512, 8, 8], (512, 3), 1, 1),
    conv("pointwise_256_64", [8, 256, 56, 56], (64, 1), 1, 0),
    conv("pointwise_1024_256", [8, 1024, 14, 14], (256, 1), 1, 0),
    conv("stem", [8, 3, 128, 128], (64, 7), 2, 3),
    conv("strided_64_128", [8, 64, 56, 56], (128, 3), 2, 1),
    conv("strided_256_512", [8, 256, 14, 14], (512, 3), 2, 1),
    deconv("deconv_64_64", [4, 64, 64, 64], 64),
    deconv("deconv_512_256", [8, 512, 8, 8], 256),
];

impl Shape {
    /// Multiplications and additions of a pass.
    fn operations(&self) -> u64 {
        let [batch, _, h, w] = self.x;
        let step = if self.transposed { 1 } else { self.stride };
        let products = batch * (h / step) * (w / step) * self.weight.iter().product::<usize>();
        2 * products as u64
    }

    fn ours(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let stride = (self.stride, self.stride);
        if self.transposed {
            let config = ConvTranspose2dConfig::default();
            let config = config.with_stride(stride).with_padding(self.padding);
            conv_transpose2d(x, weight, None, &config)
        } else {
            let config = Conv2dConfig::default().with_stride(stride).with_padding(self.padding);
            conv2d(x, weight, None, &config)
        }
    }

    fn candle(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        if self.transposed {
            x.conv_transpose2d(weight, self.padding, 0, self.stride, 1)
        } else {
            x.conv2d(weight, self.padding, self.stride, 1, 1)
        }
    }
}

fn bench(c: &mut Criterion, shape: &Shape) -> Result<()> {
    let x = Tensor::randn(0f32, 1., &shape.x, &Device::Cpu)?;
    let weight = Tensor::randn(0f32, 1., &shape.weight, &Device::Cpu)?;
    let (x_var, weight_var) = (Var::from_tensor(&x)?, Var::from_tensor(&weight)?);

    let mut group = c.benchmark_group("forward");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(shape.operations()));
    let id = |variant| BenchmarkId::new(variant, shape.name);
    group.bench_function(id("ocellus"), |b| b.iter(|| shape.ours(&x, &weight)));
    group.bench_function(id("candle"), |b| b.iter(|| shape.candle(&x, &weight)));
    group.finish();

    for (pass, x, weight, passes) in [
        ("by_x", x_var.as_tensor(), &weight, 1),
        ("by_w", &x, weight_var.as_tensor(), 1),
        ("backward", x_var.as_tensor(), weight_var.as_tensor(), 2),
    ] {
        let mut group = c.benchmark_group(pass);
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements(passes * shape.operations()));
        let y = shape.ours(x, weight)?;
        group.bench_function(id("ocellus"), |b| b.iter(|| y.backward()));
        if pass == "backward" {
            let y = shape.candle(x, weight)?;
            group.bench_function(id("candle"), |b| b.iter(|| y.backward()));
        }
        group.finish();
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for shape in &SHAPES {
        bench(&mut c, shape)?;
    }
    c.final_summary();
    Ok(())
}
