//! Settings of a clone's own git configuration: those of its diff and merge drivers (gitattributes(5)), and our own section.

use crate::adapters::git::Repository;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

impl Repository {
    /// Returns a value of the git configuration as a boolean. `None` if it is not set, or is not a boolean.
    pub fn config_flag(&self, key: &str) -> Option<bool> {
        self.local().config_snapshot().boolean(key)
    }

    /// Returns what this clone's own configuration says about the drivers called `name`: keys and values.
    pub fn driver_settings(&self, name: &str) -> Result<Vec<(String, String)>> {
        let pattern = format!("^(diff|merge)\\.{name}\\.");
        let output = self.config(&["--local", "--null", "--get-regexp", &pattern])?;
        let entries = output.stdout.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        let entries = entries.map(|entry| {
            let entry = String::from_utf8_lossy(entry);
            let (key, value) = entry.split_once('\n').unwrap_or((&entry, ""));
            (key.to_owned(), value.to_owned())
        });
        Ok(entries.collect())
    }

    /// Sets a value in this clone's own configuration.
    pub fn set_driver(&self, key: &str, value: &str) -> Result<()> {
        self.changed(&["--local", "--replace-all", key, value])
    }

    /// Removes all settings of the drivers called `name`, in the sections of which `settings` has some.
    pub fn remove_drivers(&self, name: &str, settings: &[(String, String)]) -> Result<()> {
        for section in [format!("diff.{name}"), format!("merge.{name}")] {
            if settings.iter().any(|(key, _)| key.starts_with(&section)) {
                self.changed(&["--local", "--remove-section", &section])?;
            }
        }
        Ok(())
    }

    /// Returns the keys of a section in this clone's own configuration.
    pub fn settings_of(&self, section: &str) -> Result<Vec<String>> {
        let pattern = format!("^{section}\\.");
        let output = self.config(&["--local", "--null", "--name-only", "--get-regexp", &pattern])?;
        let keys = output.stdout.split(|byte| *byte == 0).filter(|key| !key.is_empty());
        Ok(keys.map(|key| String::from_utf8_lossy(key).into_owned()).collect())
    }

    /// Removes a section of this clone's own configuration.
    pub fn remove_settings_of(&self, section: &str) -> Result<()> {
        self.changed(&["--local", "--remove-section", section])
    }

    /// Returns whether git would keep what the diff driver called `name` prints, as a note in the repository. Unlike the
    /// library, git knows what its command line says.
    pub fn keeps_diffed_text(&self, name: &str) -> Result<bool> {
        let key = format!("diff.{name}.cachetextconv");
        let output = self.config(&["--type=bool", "--get", &key])?;
        Ok(match output.status.code() {
            Some(0) => output.stdout.trim_ascii() != b"false",
            // The key is not set.
            Some(1) => false,
            _ => true,
        })
    }

    fn changed(&self, arguments: &[&str]) -> Result<()> {
        let output = self.config(arguments)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(failed(&String::from_utf8_lossy(&output.stderr))),
        }
    }

    fn config(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let mut command = self.git();
        command.arg("config").args(arguments);
        command.output().map_err(|e| failed(&e.to_string()))
    }
}

fn failed(said: &str) -> Refusal {
    Refusal::Unsupported(Unsupported::GitConfig {
        said: said.trim().replace('\n', " "),
    })
}
