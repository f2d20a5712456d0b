//! Where in a blob some bytes are, and who listens to them while they are examined.

use std::fmt;

use crate::format::layers::Layer;

/// Where in a blob something is: the layers to open, from the outside in. Of the blob itself there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    steps: Vec<Step>,
}

/// One layer that is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The layer.
    pub layer: Layer,
    /// The name of the member, if the layer is an archive.
    pub member: Option<String>,
}

impl Place {
    /// Returns the place of the blob itself.
    pub fn blob() -> Self {
        Self::default()
    }

    /// Returns the place of what is inside of a layer that begins here.
    pub fn inside(&self, layer: Layer, member: Option<&str>) -> Self {
        let mut steps = self.steps.clone();
        steps.push(Step {
            layer,
            member: member.map(str::to_owned),
        });
        Self { steps }
    }

    /// Returns the layers, from the outside in.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns how many layers are around it.
    pub fn depth(&self) -> usize {
        self.steps.len()
    }

    /// Returns whether this is `outer`, or inside of it.
    pub fn is_within(&self, outer: &Self) -> bool {
        self.steps.starts_with(&outer.steps)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("blob");
        }
        for (at, step) in self.steps.iter().enumerate() {
            if at > 0 {
                f.write_str(", then ")?;
            }
            f.write_str(step.layer.as_str())?;
            if let Some(member) = &step.member {
                write!(f, " member {member}")?;
            }
        }
        Ok(())
    }
}

/// Hears all bytes of a blob while it is examined: its own, and those of each content of each layer that is opened.
///
/// Calls are nested as the places are: the blob begins first and ends last, and a content begins and ends while what it
/// is in has begun and not ended. Every place that begins ends, also where its bytes are cut short by damage or a bound.
/// Bytes of an outer place may come between those of an inner one, since a large content is unpacked while it is read;
/// the bytes of one place come in their order. There is one current content at each depth, so [`Place::depth`] tells
/// apart whose bytes these are.
pub trait Listener {
    /// The bytes of `place` begin.
    fn begin(&mut self, place: &Place);

    /// The next bytes of `place`, which has begun and not ended.
    fn feed(&mut self, place: &Place, bytes: &[u8]);

    /// There are no more bytes of `place`, or no more can be had.
    fn end(&mut self, place: &Place);
}
