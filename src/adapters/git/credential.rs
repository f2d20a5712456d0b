//! Logins for HTTP servers, from the credential helpers of git.
//!
//! git runs outside of every repository here: the configuration of a prepared clone could name a helper of its own.

use std::process::Command;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::adapters::program::{self, PATIENCE};
use crate::refusal::transport::TransportFault;

/// A user and a password for one server, and what git calls that server.
pub struct GitLogin {
    /// The user.
    pub user: Zeroizing<String>,
    /// The password.
    pub password: Zeroizing<String>,
    asked: String,
}

/// What git should do with a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Keep it: the server accepts it.
    Accepted,
    /// Forget it.
    Refused,
}

/// Asks git for the login of a server, such as `https` and `host:port`. `None` if git has none.
pub fn fill(scheme: &str, host: &str, path: &str) -> Result<Option<GitLogin>, TransportFault> {
    let asked = format!(
        "protocol={scheme}\nhost={host}\npath={}\n",
        path.trim_start_matches('/')
    );
    let answer = run("fill", asked.as_bytes(), PATIENCE)?;
    let Some(answer) = answer else { return Ok(None) };
    let (mut user, mut password) = (None, None);
    for line in answer.split(|byte| *byte == b'\n') {
        let text = |value: &[u8]| {
            std::str::from_utf8(value)
                .ok()
                .map(|text| Zeroizing::new(text.to_owned()))
        };
        match (line.strip_prefix(b"username="), line.strip_prefix(b"password=")) {
            (Some(value), _) => user = text(value),
            (_, Some(value)) => password = text(value),
            _ => {}
        }
    }
    Ok(user
        .zip(password)
        .map(|(user, password)| GitLogin { user, password, asked }))
}

/// Tells git whether the server accepted a login. It matters only to helpers that keep logins, so a fault is passed over.
pub fn tell(login: &GitLogin, verdict: Reception) {
    let what = match verdict {
        Reception::Accepted => "approve",
        Reception::Refused => "reject",
    };
    let known = Zeroizing::new(format!(
        "{}username={}\npassword={}\n",
        login.asked, *login.user, *login.password
    ));
    drop(run(what, known.as_bytes(), PATIENCE));
}

fn run(what: &str, question: &[u8], patience: Duration) -> Result<Option<Zeroizing<Vec<u8>>>, TransportFault> {
    let mut git = Command::new("git");
    git.args(["credential", what])
        .current_dir("/")
        .env("GIT_DIR", "/dev/null")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_COMMON_DIR");
    let answer = program::ask(&mut git, question, patience).map_err(|said| TransportFault::Helper {
        program: "git credential".into(),
        said,
    })?;
    // git ends with an error where it has no login and cannot ask.
    Ok(answer.success.then_some(answer.text))
}
