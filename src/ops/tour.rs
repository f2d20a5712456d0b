//! The tour: lines of a story, run in a throwaway directory and compared with what the story says of them.

use std::path::PathBuf;

use crate::adapters::throwaway::Throwaway;
use crate::ops::Context;
use crate::refusal::Result;

/// A line of the story.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// The directory in which it is run, below the one of the story.
    pub at: &'static str,
    /// What a person would type.
    pub line: &'static str,
    /// The exit status with which it must end.
    pub status: i32,
    /// Words that must stand in its answer.
    pub shows: &'static str,
    /// A program without which it is left out.
    pub needs: Option<&'static str>,
}

/// What came of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It ended as the story says, with this answer.
    AsTold(String),
    /// It ended otherwise: its exit status, if it has one, and its answer.
    Otherwise(Option<i32>, String),
    /// It was left out, because this program is missing.
    Without(&'static str),
}

/// A story that is being run.
pub struct Stage(Throwaway);

impl Stage {
    /// Makes the directory of the story.
    pub fn set_up(ctx: &Context) -> Result<Self> {
        Ok(Self(Throwaway::new(&ctx.binary)?))
    }

    /// Runs a line.
    pub fn take(&self, step: &Scene) -> Result<Taken> {
        if let Some(program) = step.needs {
            let found = self.0.run(".", &format!("command -v {program}"))?;
            if found.status != Some(0) {
                return Ok(Taken::Without(program));
            }
        }
        let heard = self.0.run(step.at, step.line)?;
        Ok(
            match heard.status == Some(step.status) && heard.words.contains(step.shows) {
                true => Taken::AsTold(heard.words),
                false => Taken::Otherwise(heard.status, heard.words),
            },
        )
    }

    /// Keeps the directory, and returns it.
    pub fn keep(self) -> PathBuf {
        self.0.keep()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::timestamp::Timestamp;

    #[test]
    fn a_line_that_ends_otherwise_is_told() {
        let mut ctx = Context::new("/", Timestamp::from_seconds(0).unwrap());
        ctx.binary = "/nonexistent".into();
        let stage = Stage::set_up(&ctx).unwrap();
        let step = |line, status, shows| Scene {
            at: ".",
            line,
            status,
            shows,
            needs: None,
        };
        let taken = |line, status, shows| stage.take(&step(line, status, shows)).unwrap();
        assert_eq!(taken("echo yes", 0, "ye"), Taken::AsTold("yes\n".into()));
        assert_eq!(taken("echo yes", 1, "ye"), Taken::Otherwise(Some(0), "yes\n".into()));
        assert_eq!(taken("echo yes", 0, "no"), Taken::Otherwise(Some(0), "yes\n".into()));
        assert_eq!(taken("kill -9 $$", 0, ""), Taken::Otherwise(None, String::new()));
        let mut missing = step("echo yes", 0, "");
        missing.needs = Some("a-program-that-nobody-has");
        assert_eq!(
            stage.take(&missing).unwrap(),
            Taken::Without("a-program-that-nobody-has")
        );
    }
}
