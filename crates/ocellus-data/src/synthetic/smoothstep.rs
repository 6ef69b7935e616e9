/// 0 below 0, 1 above 1, and without a corner between.
pub(super) fn smoothstep(t: f32) -> f32 {
    let t = t.clamp(0., 1.);
    t * t * (3. - 2. * t)
}
