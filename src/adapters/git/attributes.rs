//! Asks git which attributes a path has (gitattributes(5)).

use crate::adapters::git::Repository;
use crate::adapters::git::index_update::run;
use crate::format::repo_path::RepoPath;
use crate::refusal::Result;

/// The attributes by which git changes the content of a file on its way into the index or out of it, and those that choose
/// how it is compared and merged.
const NAMES: [&str; 8] = [
    "text",
    "crlf",
    "eol",
    "filter",
    "ident",
    "working-tree-encoding",
    "diff",
    "merge",
];

/// The attributes of a path that matter to a sealed twin, each with its value as git prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathAttributes(pub Vec<(String, String)>);

impl Repository {
    /// Returns the attributes of each path that matter to a sealed twin, in the order of `paths`.
    pub fn twin_attributes(&self, paths: &[RepoPath]) -> Result<Vec<PathAttributes>> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = self.at_top()?;
        command.args(["check-attr", "-z", "--stdin"]).args(NAMES);
        let mut input = Vec::new();
        for path in paths {
            input.extend_from_slice(path.as_bytes());
            input.push(0);
        }
        let output = run(command, &input)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // For each path and attribute, in order: the path, the attribute, its value.
        let fields: Vec<&[u8]> = output.split(|byte| *byte == 0).collect();
        let each = fields.chunks_exact(3 * NAMES.len());
        let found = each.map(|of_path| {
            let attributes = of_path.chunks_exact(3);
            PathAttributes(attributes.map(|field| (text(field[1]), text(field[2]))).collect())
        });
        Ok(found.collect())
    }
}
