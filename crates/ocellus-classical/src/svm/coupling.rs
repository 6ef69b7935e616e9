use ndarray::{Array1, Array2};

/// Probabilities of the classes from those of the pairs.
///
/// ```text
/// min Σᵢ Σⱼ≠ᵢ (rⱼᵢ pᵢ − rᵢⱼ pⱼ)²,   Σ pᵢ = 1,   rᵢⱼ = p(i | i or j)
/// ```
///
/// By the second method of T.-F. Wu, C.-J. Lin and R. C. Weng, *Probability estimates for multi-class
/// classification by pairwise coupling*, JMLR 5, 2004, until p is within 0.005 / k as in LIBSVM.
pub(super) fn couple(pairwise: &Array2<f64>) -> Array1<f64> {
    let classes = pairwise.nrows();
    if classes == 2 {
        return Array1::from_vec(vec![pairwise[[0, 1]], pairwise[[1, 0]]]);
    }
    let q = Array2::from_shape_fn((classes, classes), |(t, j)| {
        if t == j {
            (0..classes).filter(|&j| j != t).map(|j| pairwise[[j, t]].powi(2)).sum()
        } else {
            -pairwise[[j, t]] * pairwise[[t, j]]
        }
    });
    let mut p = Array1::from_elem(classes, 1. / classes as f64);
    for _ in 0..classes.max(100) {
        let mut qp = q.dot(&p);
        let mut total = p.dot(&qp);
        let error = qp.iter().map(|v| (v - total).abs()).fold(0., f64::max);
        if error < 0.005 / classes as f64 {
            break;
        }
        for t in 0..classes {
            let step = (total - qp[t]) / q[[t, t]];
            p[t] += step;
            let scale = 1. + step;
            total = (total + step * (step * q[[t, t]] + 2. * qp[t])) / scale / scale;
            for j in 0..classes {
                qp[j] = (qp[j] + step * q[[t, j]]) / scale;
                p[j] /= scale;
            }
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consistent_pairs_give_their_classes() {
        let p = [0.5, 0.3, 0.15, 0.05];
        let pairwise = Array2::from_shape_fn((4, 4), |(i, j)| p[i] / (p[i] + p[j]));
        let coupled = couple(&pairwise);
        assert!((coupled.sum() - 1.).abs() < 1e-12);
        for (a, b) in coupled.iter().zip(p) {
            assert!((a - b).abs() < 0.01, "{coupled}");
        }
    }

    #[test]
    fn certain_pairs_give_a_certain_class() {
        let low = 1e-7;
        let pairwise = Array2::from_shape_fn((3, 3), |(i, j)| if i < j { 1. - low } else { low });
        let coupled = couple(&pairwise);
        assert!(coupled[0] > 0.99 && coupled.iter().all(|p| (0. ..=1.).contains(p)), "{coupled}");
    }
}
