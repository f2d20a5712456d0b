//! A real registry on loopback: CNCF Distribution, as Debian packages it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A registry that ends with this value.
pub struct RegistryServer {
    child: Child,
    port: u16,
    log: PathBuf,
    _temp: tempfile::TempDir,
}

/// Returns a port of loopback that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl RegistryServer {
    /// Starts a registry that everybody may use.
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts a registry for users of a password file.
    pub fn with_passwords(file: &Path) -> Self {
        Self::with(&format!(
            "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            file.display()
        ))
    }

    fn with(more: &str) -> Self {
        let temp = tempfile::Builder::new().prefix("git-pack-test-").tempdir().unwrap();
        let (config, log) = (temp.path().join("config.yml"), temp.path().join("log"));
        // Somebody else may take the port before the registry does.
        for _ in 0..5 {
            let port = free_port();
            let text = format!(
                "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
                 http: {{addr: \"127.0.0.1:{port}\", secret: x}}\n{more}",
                temp.path().join("data").display()
            );
            fs::write(&config, text).unwrap();
            let written = fs::File::create(&log).unwrap();
            let mut child = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(written.try_clone().unwrap())
                .stderr(written)
                .spawn()
                .expect("docker-registry is needed: tests/run installs it");
            for _ in 0..400 {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self {
                        child,
                        port,
                        log,
                        _temp: temp,
                    };
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(25));
            }
            drop(child.kill());
            drop(child.wait());
        }
        panic!("the registry does not start: {}", fs::read_to_string(&log).unwrap());
    }

    /// Returns its host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the address of a repository in it.
    pub fn address(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.host())
    }

    /// Returns the requests so far that begin with `method` and have `part` in their path.
    pub fn requests(&self, method: &str, part: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap();
        let begins = format!("\"{method} ");
        let requests = log
            .lines()
            .filter_map(|line| line.split_once(&begins))
            .map(|(_, rest)| rest);
        requests
            .filter(|rest| rest.split(' ').next().unwrap().contains(part))
            .count()
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
