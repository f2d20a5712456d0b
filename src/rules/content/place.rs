//! Places inside a blob, and the trait for listeners to its bytes.

use std::fmt;

use crate::format::layers::Layer;

/// A place inside a blob: the layers to open, from the outside in. Empty for the blob itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    steps: Vec<Step>,
}

/// A layer to open.
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

    /// Returns the place inside a layer that begins at this place.
    pub fn inside(&self, layer: Layer, member: Option<&str>) -> Self {
        let mut steps = self.steps.clone();
        steps.push(Step {
            layer,
            member: member.map(str::to_owned),
        });
        Self { steps }
    }

    /// Returns the number of layers around it.
    pub fn depth(&self) -> usize {
        self.steps.len()
    }

    /// Returns whether this place is `outer` or inside of it.
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

/// Receives all bytes of a blob while it is examined: its own, and those of every content of every opened layer.
///
/// Calls nest like the places: the blob begins first and ends last, and a content begins and ends while its container
/// is open. Every place that begins also ends, even if damage or a limit cuts its bytes short. The bytes of one place
/// come in their order. Bytes of an outer place may come between those of an inner one, since a large content is
/// unpacked while it is read. There is one current content at each depth, so [`Place::depth`] identifies the content of
/// a call.
pub trait Listener {
    /// The bytes of `place` begin.
    fn begin(&mut self, place: &Place);

    /// The next bytes of `place`, which has begun and not ended.
    fn feed(&mut self, place: &Place, bytes: &[u8]);

    /// The bytes of `place` end, or no more of them can be read.
    fn end(&mut self, place: &Place);
}
