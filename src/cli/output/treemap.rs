//! Areas in proportion to sizes: a rectangle cut into one for each size, as close to squares as they come.
//!
//! The method is the squarified treemap of Bruls, Huizing and van Wijk (2000).

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    /// Distance from the left.
    pub(crate) x: f64,
    /// Distance from the top.
    pub(crate) y: f64,
    /// Width.
    pub(crate) width: f64,
    /// Height.
    pub(crate) height: f64,
}

impl Area {
    fn shorter(&self) -> f64 {
        self.width.min(self.height)
    }

    /// Cuts a strip of this size off along the shorter side. Returns the strip and the rest.
    fn cut(self, size: f64) -> (Self, Self) {
        let (mut strip, mut rest) = (self, self);
        if self.width >= self.height {
            strip.width = (size / self.height).min(self.width);
            rest.x += strip.width;
            rest.width -= strip.width;
        } else {
            strip.height = (size / self.width).min(self.height);
            rest.y += strip.height;
            rest.height -= strip.height;
        }
        (strip, rest)
    }
}

/// Cuts `whole` into an area for each size, in their order. The sizes are positive and in descending order.
pub(crate) fn treemap(sizes: &[f64], whole: Area) -> Vec<Area> {
    let total: f64 = sizes.iter().sum();
    let scale = whole.width * whole.height / total;
    let sizes: Vec<f64> = sizes.iter().map(|size| size * scale).collect();
    let (mut areas, mut rest, mut at) = (Vec::with_capacity(sizes.len()), whole, 0);
    while at < sizes.len() {
        let end = row_end(&sizes, at, rest.shorter());
        let row = &sizes[at..end];
        let size: f64 = row.iter().sum();
        let (strip, after) = rest.cut(size);
        // The last row takes what rounding left over.
        let strip = if end == sizes.len() { rest } else { strip };
        fill(&mut areas, row, strip);
        (rest, at) = (after, end);
    }
    areas
}

/// Returns where the row that begins at `at` ends: before the first size that makes its worst ratio of sides worse.
fn row_end(sizes: &[f64], at: usize, side: f64) -> usize {
    let (mut end, mut sum) = (at + 1, sizes[at]);
    while end < sizes.len() {
        let more = sum + sizes[end];
        if worst(sizes[at], sizes[end], more, side) > worst(sizes[at], sizes[end - 1], sum, side) {
            break;
        }
        (end, sum) = (end + 1, more);
    }
    end
}

/// Returns the worst ratio of sides in a row along a side of this length.
fn worst(largest: f64, smallest: f64, sum: f64, side: f64) -> f64 {
    let square = side * side;
    (square * largest / (sum * sum)).max(sum * sum / (square * smallest))
}

/// Divides a strip among the sizes of its row.
fn fill(areas: &mut Vec<Area>, row: &[f64], strip: Area) {
    let total: f64 = row.iter().sum();
    let is_column = strip.width < strip.height;
    let mut before = 0.0;
    for size in row {
        let (from, part) = (before / total, size / total);
        before += size;
        areas.push(match is_column {
            true => Area {
                y: strip.y + strip.height * from,
                height: strip.height * part,
                ..strip
            },
            false => Area {
                x: strip.x + strip.width * from,
                width: strip.width * part,
                ..strip
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: Area = Area {
        x: 3.0,
        y: 5.0,
        width: 960.0,
        height: 420.0,
    };

    fn size(area: &Area) -> f64 {
        area.width * area.height
    }

    proptest! {
        #[test]
        fn areas_are_in_proportion_and_do_not_overlap(mut sizes in prop::collection::vec(1_u64..1 << 40, 1..60)) {
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            let sizes: Vec<f64> = sizes.into_iter().map(|size| size as f64).collect();
            let areas = treemap(&sizes, WHOLE);
            prop_assert_eq!(areas.len(), sizes.len());
            let total: f64 = sizes.iter().sum();
            for (area, wanted) in areas.iter().zip(&sizes) {
                let (found, wanted) = (size(area) / size(&WHOLE), wanted / total);
                prop_assert!((found - wanted).abs() < 1e-6, "{area:?}: {found} instead of {wanted}");
                prop_assert!(area.x >= WHOLE.x - 1e-6 && area.x + area.width <= WHOLE.x + WHOLE.width + 1e-6);
                prop_assert!(area.y >= WHOLE.y - 1e-6 && area.y + area.height <= WHOLE.y + WHOLE.height + 1e-6);
            }
            prop_assert!((areas.iter().map(size).sum::<f64>() - size(&WHOLE)).abs() < 1e-3);
            for (at, one) in areas.iter().enumerate() {
                for other in &areas[at + 1..] {
                    let across = (one.x + one.width).min(other.x + other.width) - one.x.max(other.x);
                    let down = (one.y + one.height).min(other.y + other.height) - one.y.max(other.y);
                    prop_assert!(across < 1e-6 || down < 1e-6, "{one:?} and {other:?} overlap");
                }
            }
        }
    }

    #[test]
    fn equal_sizes_become_squares() {
        let square = Area {
            x: 0.0,
            y: 0.0,
            width: 100.0,
            height: 100.0,
        };
        for area in treemap(&[1.0; 4], square) {
            assert_eq!((area.width, area.height), (50.0, 50.0));
        }
        assert_eq!(treemap(&[7.0], square), [square]);
        assert_eq!(treemap(&[], square), []);
    }
}
