use crate::geo::chains::Corner;

/// No region.
pub(crate) const NONE: u32 = u32::MAX;

/// Connected regions that are being found row by row. Numbers of regions that are complete, or
/// part of another by now, are given anew.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    regions: Vec<Region>,
    free: Vec<u32>,
    /// Those that became part of another in this row.
    merged: Vec<u32>,
}

/// What is known of a region so far.
#[derive(Debug, Default)]
pub(crate) struct Region {
    parent: u32,
    pub(crate) label: u16,
    pub(crate) pixels: u64,
    pub(crate) last_row: u32,
    pub(crate) rings: Vec<Vec<Corner>>,
}

impl Regions {
    pub(crate) fn add(&mut self, label: u16) -> u32 {
        let id = self.free.pop().unwrap_or(self.regions.len() as u32);
        let region = Region { parent: id, label, ..Region::default() };
        match self.regions.get_mut(id as usize) {
            Some(place) => *place = region,
            None => self.regions.push(region),
        }
        id
    }

    pub(crate) fn get(&mut self, id: u32) -> &mut Region {
        &mut self.regions[id as usize]
    }

    /// The region that this one is part of.
    pub(crate) fn find(&mut self, mut id: u32) -> u32 {
        loop {
            let parent = self.regions[id as usize].parent;
            if parent == id {
                return id;
            }
            let above = self.regions[parent as usize].parent;
            self.regions[id as usize].parent = above;
            id = above;
        }
    }

    pub(crate) fn merge(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.find(a), self.find(b));
        if a == b {
            return a;
        }
        let weight = |id: u32| self.regions[id as usize].rings.len();
        let (keep, drop) = if weight(a) >= weight(b) { (a, b) } else { (b, a) };
        let dropped = std::mem::replace(
            &mut self.regions[drop as usize],
            Region { parent: keep, ..Region::default() },
        );
        let kept = &mut self.regions[keep as usize];
        kept.pixels += dropped.pixels;
        kept.last_row = kept.last_row.max(dropped.last_row);
        kept.rings.extend(dropped.rings);
        self.merged.push(drop);
        keep
    }

    /// Whether this region is complete: not part of another, and not in this row.
    pub(crate) fn is_complete(&self, id: u32, row: u32) -> bool {
        let region = &self.regions[id as usize];
        region.parent == id && region.last_row < row
    }

    /// Takes a complete region out.
    pub(crate) fn take(&mut self, id: u32) -> Region {
        self.free.push(id);
        std::mem::take(&mut self.regions[id as usize])
    }

    /// Frees the numbers of merged regions, which nobody may know any more.
    pub(crate) fn forget_merged(&mut self) {
        self.free.append(&mut self.merged);
    }
}
