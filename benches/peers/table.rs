//! The table of a comparison.

use crate::peer::Peer;
use crate::record::{Measured, Times};

const CASE: usize = 46;
const CELL: usize = 16;

pub(crate) fn header(peers: &[Peer]) -> String {
    let mut line = format!("{:CASE$}{:>CELL$}", "minimum / median in ms", "ocellus");
    for peer in peers {
        line += &format!("{:>CELL$}", peer.name());
    }
    line + "    ratio  fastest peer    differs by"
}

pub(crate) fn row(measured: &Measured, peers: &[Peer]) -> String {
    let mut line = format!("{:CASE$}{:>CELL$}", measured.case, cell(&measured.ours));
    for peer in peers {
        let found = measured.peers.iter().find(|compared| compared.peer == *peer);
        let text = found.map_or("–".to_owned(), |compared| cell(&compared.times));
        line += &format!("{text:>CELL$}");
    }
    let Some((ratio, fastest)) = measured.ratio.zip(measured.fastest()) else { return line };
    let difference = measured.peers.iter().filter(|compared| !compared.peer.is_coarse());
    let difference = difference.map(|compared| compared.difference);
    let difference = difference.max_by(f64::total_cmp).unwrap_or(f64::NAN);
    line + &format!("{ratio:>9.2}  {:14}{difference:>12.0e}", fastest.peer.name())
}

/// Minimum and median in milliseconds.
fn cell(times: &Times) -> String {
    let digits = |ms: f64| match ms {
        100.0.. => format!("{ms:.0}"),
        10.0.. => format!("{ms:.1}"),
        1.0.. => format!("{ms:.2}"),
        _ => format!("{ms:.3}"),
    };
    format!("{}/{}", digits(1e3 * times.min()), digits(1e3 * times.median()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Compared;

    #[test]
    fn columns_of_header_and_rows_agree() {
        let peers = [Peer::Pytorch, Peer::OpenvinoBf16];
        let times = |seconds| Times(vec![seconds]);
        let compared = |peer, seconds| Compared {
            peer,
            times: times(seconds),
            difference: 3e-6,
            agrees: true,
        };
        let mut measured = Measured {
            case: "conv_forward/vgg_1_1".to_owned(),
            ours: times(0.0123),
            peers: vec![compared(Peer::Pytorch, 0.0246), compared(Peer::OpenvinoBf16, 0.001)],
            ratio: None,
        };
        measured.compare();
        let (header, row) = (header(&peers), row(&measured, &peers));
        assert!(row.contains("12.3/12.3") && row.contains("24.6/24.6"), "{row}");
        assert!(row.contains("0.50  pytorch"), "{row}"); // Another precision does not count.
        assert_eq!(header.find("pytorch").map(|at| at + 7), row.find("24.6/24.6").map(|at| at + 9));
    }
}
