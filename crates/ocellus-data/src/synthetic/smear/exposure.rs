use super::{canvas::Canvas, slide::Slide};
use crate::{
    Filter, Image, Resize, Result,
    random::Random,
    synthetic::{blur::blur, field::Field},
};

/// The picture that a camera takes through a slide: Beer and Lambert's law, uneven light, a blur of
/// the focus, shot noise.
///
/// ```text
/// I = L · exp(−D)
/// ```
pub(super) fn expose(
    canvas: &mut Canvas,
    slide: &Slide,
    (height, width): (usize, usize),
    random: &mut Random,
) -> Result<Image> {
    let (tall, wide) = canvas.extent();
    let film = Field::draw(random);
    let tilt = (0.05 * random.symmetric(), 0.05 * random.symmetric());
    let corner = 0.08 * random.unit();
    // Now and then a field is out of focus.
    let defocus = if random.chance(0.15) { random.uniform(0.1, 0.3) } else { 0. };
    let deviation = (slide.focus.hypot(defocus) * canvas.scale).max(0.3);
    let lamp = |x: f32, y: f32| {
        let (x, y) = (2. * x / wide - 1., 2. * y / tall - 1.);
        1. + tilt.0 * x + tilt.1 * y - corner * (x * x + y * y)
    };
    let center = (0.5 * wide, 0.5 * tall);
    canvas.paint(center, tall.max(wide), |canvas, at, x, y| {
        let rough = 1.
            + slide.film_texture
                * (0.5 * film.turned(y / 2.1, x / 2.1) + 0.35 * film.turned(y / 0.6, x / 0.6));
        canvas.stain(at, &slide.film, rough.max(0.));
        let level = lamp(x, y).ln();
        canvas.density.iter_mut().for_each(|plane| plane[at] -= level);
    });
    let mut data = Vec::with_capacity(3 * canvas.height * canvas.width);
    for (plane, light) in canvas.density.iter_mut().zip(slide.light) {
        plane.iter_mut().for_each(|density| *density = light * (-*density).exp());
        blur(plane, canvas.width, deviation);
        data.extend_from_slice(plane);
    }
    let picture = Image::new(3, canvas.height, canvas.width, data)?;
    let mut picture = Resize::new(height, width).with_filter(Filter::Area).apply(&picture)?;
    for value in picture.data_mut() {
        let noise = slide.noise * value.max(0.).sqrt() * random.grain();
        *value = (*value + noise).clamp(0., 1.);
    }
    Ok(picture)
}
